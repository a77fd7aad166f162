// What the tests of the stage's scripts share: a small run.

/** @import { Frame, Header, Inspection, Nodes, Phase, Step, View } from "../../treeviz/stage/web/types.js" */

/**
 * @param {string} id
 * @param {Partial<Phase>} flags
 * @returns {Phase}
 */
const phase = (id, flags = {}) => ({
  id,
  title: id,
  section: "trees",
  entersNodes: false,
  hasDualStep: false,
  hasMove: false,
  isAfterMove: false,
  ...flags,
});

export const PHASES = [
  phase("search", { entersNodes: true }),
  phase("solve", { hasDualStep: true }),
  phase("repair", { hasDualStep: true, hasMove: true, isAfterMove: true }),
];

/** @type {Header} */
export const HEADER = {
  run: "run-1",
  settings: "run",
  portable: true,
  points: 3,
  width: 4,
  threshold: 1,
  phases: PHASES,
  code: [],
  levels: [1, 2, 4],
  targets: [1, -1, 1],
  data: { kind: "profile", image: null, signed: true, largest: 0.8, dimension: 2, lifted: false, axes: [], places: [] },
  details: [63, 127],
  detail: 127,
  opened: 2,
  iterations: 100,
  planar: false,
  movable: 65536,
  skin: null,
  fault: null,
};

/**
 * A tree of seven nodes, root, two below it, four leaves; leaf 4 fires and stops, leaf 6 does not and starts.
 * @returns {Nodes}
 */
export const nodes = () => ({
  id: [1, 2, 3, 4, 5, 6, 7],
  parent: [-1, 0, 0, 1, 1, 2, 2],
  x: [1.5, 0.5, 2.5, 0, 1, 2, 3],
  depth: [0, 1, 1, 2, 2, 2, 2],
  kind: [0, 0, 0, 1, 1, 1, 1],
  before: [1.5, 1.5, 0.5, 1.5, 0.2, 0.5, 0.1],
  after: [1.25, 0.5, 1.25, 0.5, 0.2, 1.25, 0.1],
  neurons: [4, 2, 2, 1, 1, 1, 1],
  firing: [1, 1, 0, 1, 0, 0, 0],
  modified: [1, 1, 1, 1, 0, 1, 0],
  passes: "1101000",
  changes: "1111010",
  starts: "0000010",
  stops: "0001000",
  touched: "0001010",
  entered: "1111100",
  visited: [1, 1, 1, 1, 1, 0, 0],
});

/** Neuron 2 in tree 0 after two iterations. @type {Inspection} */
export const INSPECTION = {
  neuron: 2,
  tree: 0,
  sign: -1,
  leaf: [0.5, 1.25, 0.75],
  fires: "01",
  moments: { 1: { names: ["a", "b"], weights: [1.5, -0.4375], values: [0.6, -0.8], rest: 0 } },
};

/** @type {View} */
export const VIEW = { tree: 0, detail: 127, opened: [], pinned: null };

/** @type {Record<string, Step[]>} */
const SCRIPT = {
  search: [
    [0, "root", 0, []],
    [1, "left", 1, []],
    [1, "leaf", 3, []],
    [2, "right", 2, []],
  ],
  solve: [[3, "solve", -1, []]],
  repair: [
    [4, "leaf 4", 3, [[3, 0.5]]],
    [5, "its parent", 1, [[1, 0.5]]],
    [5, "the root", 0, [[0, 0.5]]],
    [4, "leaf 6", 5, [[5, 1.25]]],
    [5, "its parent", 2, [[2, 1.25]]],
    [5, "the root", 0, [[0, 1.25]]],
  ],
};

/**
 * @param {number} iteration
 * @param {Partial<Frame>} changes
 * @returns {Frame}
 */
export const frame = (iteration, changes = {}) => ({
  view: VIEW,
  iteration,
  summary: "Tree 0 in short.",
  record: { loss: "1.0e+00", residual: [1, 2, 3], dual: [0.1, 0.2, 0.3], status: "" },
  point: { y: 1, f: 0.5, names: ["a", "b"], values: [0.6, -0.8] },
  nodes: nodes(),
  leaves: {},
  script: SCRIPT,
  values: [],
  watch: null,
  meter: { own: [40, 7, 60], dense: [300, 9, 0], build: 200, before: [0, 0] },
  touched: null,
  gram: null,
  visited: [],
  modified: [],
  spread: null,
  plane: {
    neurons: [],
    before: [],
    after: [],
    fires: "",
    will_fire: "",
    touched: "",
    will_touch: "",
    ever: "",
    normal: [1, 0],
    threshold: 1,
    labels: ["", ""],
    caption: "",
  },
  ...changes,
});
