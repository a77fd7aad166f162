// What a replay holds; packed by export/replay.py.

import type { AllWeights, Fields, Header, Inspection, LessonShown, Start, Status } from "../../stage/web/types.js";
import type { Packed } from "./unpack.js";

/** All that is there of one run. */
export interface RunHeld {
  header: Header;
  status: Status;
  /** A table of frames. */
  frames: Packed;
  fields: Fields | null;
  /** A table of inspections, each with the weights after all moves. */
  neurons: Packed;
  weights: AllWeights[];
  trees: number[];
  /** The address at which the app shows this run; null if it cannot be set so. */
  app: string | null;
  /** HTML of what stands below the stage. */
  page: string;
}

export interface SceneHeld {
  run: number;
  start: Start;
  lesson: LessonShown | null;
}

export interface PageHeld {
  /** Names of the packed texts, one a run. */
  runs: string[];
  scenes: SceneHeld[];
}
