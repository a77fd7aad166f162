// The cursor: (iteration, phase, step), and what the tree looks like there. No drawing, no page.

// The numbers of steps of each phase; a comparison has one phase of one step.
function lengthsOf(frame, phases) {
  return frame.view.pinned === null ? phases.map((phase) => frame.script[phase.id].length) : [1];
}

// Bring phase and step into range; Infinity stands for the last.
function settle(at, lengths) {
  const phase = Math.max(0, Math.min(at.phase, lengths.length - 1));
  return { iteration: at.iteration, phase, step: Math.max(0, Math.min(at.step, lengths[phase] - 1)) };
}

// One unit on or back. `at` must be settled; the result may lie in an iteration that is not there yet.
function advance(at, unit, direction, lengths) {
  const { iteration, phase, step } = at;
  const isCompared = lengths.length === 1;
  if (unit === "iteration" || isCompared) {
    return {
      iteration: iteration + direction,
      phase: isCompared ? 0 : phase,
      step: isCompared || direction > 0 ? 0 : step,
    };
  }
  const last = unit === "phase" ? 0 : Infinity;
  const inside = unit === "phase" ? 0 : step + direction;
  if (unit === "step" && inside >= 0 && inside < lengths[phase]) return { iteration, phase, step: inside };
  if (unit === "phase" && direction < 0 && step > 0) return { iteration, phase, step: 0 };
  const next = phase + direction;
  if (next >= lengths.length) return { iteration: iteration + 1, phase: 0, step: 0 };
  if (next < 0) return { iteration: iteration - 1, phase: Infinity, step: last };
  return { iteration, phase: next, step: direction > 0 ? 0 : last };
}

// What is known and written at a moment: nodes the search has entered, values so far, rows written, neurons promoted.
function momentOf(frame, phases, at) {
  const { nodes, script } = frame;
  const size = nodes.id.length;
  const mask = (bits) => Uint8Array.from({ length: size }, (_, row) => bits !== undefined && isSet(bits, row));
  const [found, promoted] = [mask(nodes.entered), mask(nodes.promoted)];
  if (frame.view.pinned !== null) {
    return {
      phase: "compare",
      line: -1,
      text: frame.summary,
      row: -1,
      entered: nodes.watched ? found : new Uint8Array(size).fill(1),
      values: nodes.after,
      written: mask(nodes.changes),
      promoted,
    };
  }
  const phase = phases[at.phase].id;
  const [line, text, row] = script[phase][at.step];
  const entered = phase === "search" ? new Uint8Array(size) : found;
  if (phase === "search") {
    for (let step = 0; step <= at.step; step++) {
      for (let node = script.search[step][2]; node >= 0 && !entered[node]; node = nodes.parent[node]) entered[node] = 1;
    }
  }
  const values = nodes.before.slice();
  const written = new Uint8Array(size);
  if (phase === "repair") {
    for (let step = 0; step <= at.step; step++) {
      const [, , about, writes] = script.repair[step];
      if (about >= 0 && nodes.promotes && !writes.length) promoted[about] = 1; // only promotions write nothing
      for (const [target, value] of writes) {
        values[target] = value;
        written[target] = 1;
      }
    }
  }
  return { phase, line, text, row, entered, values, written, promoted };
}

// The state of a drawn node at a moment, a key of GLYPHS in tree.js. With watch lists, entered are those that hold
// somebody watched.
function stateOf(nodes, row, moment) {
  const isStub = nodes.kind[row] === 2;
  if (moment.written[row] && isSet(nodes.starts, row)) return "starts";
  if (moment.written[row] && isSet(nodes.stops, row)) return "stops";
  if (!moment.entered[row]) return isStub ? "stub" : "unseen";
  if (nodes.watched && !isStub && !isSet(nodes.passes, row)) return nodes.kind[row] === 1 ? "watched" : "holds";
  if (nodes.watched && isStub) return "stub-open";
  if (!isSet(nodes.passes, row)) return isStub ? "stub-pruned" : "pruned";
  return isStub ? "stub-open" : nodes.kind[row] === 1 ? "firing" : "open";
}
