// What the server sends to the stage and what the stage asks of it; made by stage/frames.py and stage/moment.py.

/** A phase of an iteration, from the table in model/phases.py. */
export interface Phase {
  id: string;
  title: string;
  /** Of the page about the method, where it is explained. */
  section: string;
  entersNodes: boolean;
  hasDualStep: boolean;
  hasMove: boolean;
  isAfterMove: boolean;
}

export interface View {
  tree: number;
  /** The most nodes to draw. */
  detail: number;
  /** Heap numbers of the stubs opened. */
  opened: number[];
  /** The iteration to compare with, if any. */
  pinned: number | null;
}

/** Where the cursor is; phase and step may be Infinity, for the last, until they are settled. */
export interface Cursor {
  iteration: number;
  phase: number;
  step: number;
}

/** How the datapoints of a run are drawn. */
export interface DataKind {
  kind: "image" | "plane" | "profile";
  image: [rows: number, columns: number] | null;
  /** Whether any coordinate is negative, and the largest in size. */
  signed: boolean;
  largest: number;
  dimension: number;
  /** Whether a constant 1 was appended, before the length was made 1. */
  lifted: boolean;
  /** Of planar data: the columns' names, if they have some, and where the datapoints are. */
  axes: string[];
  places: Point[];
}

/** What stays the same for a whole run. */
export interface Header {
  run: string;
  settings: string;
  portable: boolean;
  points: number;
  width: number;
  threshold: number;
  phases: Phase[];
  code: { phase: string; text: string; indent: number; note: string }[];
  /** Nodes on each level of a tree. */
  levels: number[];
  targets: number[];
  data: DataKind;
  details: number[];
  detail: number;
  /** The most stubs that can be open. */
  opened: number;
  /** The most iterations a run can have. */
  iterations: number;
  planar: boolean;
  /** Neurons up to which a datapoint of planar data can be moved. */
  movable: number;
  skin: number | null;
  /** What is planted into the search, in words; null for a run as it should be. */
  fault: { title: string; sentence: string } | null;
}

export interface Badge {
  state: "exact" | "wrong" | "waiting" | "off";
  text: string;
  /** Of a run with a planted fault: what the check found, which the text keeps to itself, and where. */
  found?: string;
  place?: [tree: number, node: number];
}

export interface Status {
  computed: number;
  finished: boolean;
  behind: boolean;
  badges: Badge[];
}

/** Line of pseudocode, sentence, drawn row it is about or -1, rows and values it writes. */
export type Step = [line: number, text: string, row: number, writes: [row: number, value: number][]];

/** Values in all trees before and after, in thousandths; where it fires before and after; on whose lists it is. */
export type Leaf = [before: number[], after: number[], fires: number[], willFire: number[], lists?: number[]];

/** The drawn nodes, column by column. Masks are strings of 0 and 1. */
export interface Nodes {
  id: number[];
  parent: number[];
  x: number[];
  depth: number[];
  /** 0 is an inner node, 1 a leaf, 2 a stub. */
  kind: number[];
  before: number[];
  after: number[];
  neurons: number[];
  firing: number[];
  modified: number[];
  passes: string;
  changes: string;
  starts: string;
  stops: string;
  /** Leaves of neurons that move. */
  touched: string;
  entered: string;
  /** Of a run with a planted fault: nodes that are exactly b. */
  ties?: string;
  /** Of a run that searches trees. */
  visited?: number[];
  /** Of a run through watch lists: watched neurons at or below the node, and who is and will be promoted. */
  watched?: number[];
  promoted?: string;
  promotes?: string;
}

export interface NeuronPlane {
  neurons: number[];
  before: Point[];
  after: Point[];
  fires: string;
  will_fire: string;
  touched: string;
  will_touch: string;
  ever: string;
  normal: Point;
  threshold: number;
  labels: [string, string];
  caption: string;
}

/** The tree's datapoint: target, output of the network, and the coordinates that are drawn, with their names. */
export interface DatapointValues {
  y: number;
  f: number;
  names: string[];
  values: number[];
}

/** A neuron's weights beside the datapoint; `rest` is the sum of the products that are not drawn. */
export interface Look {
  names: string[];
  weights: number[];
  values: number[];
  rest: number;
}

/** What is known of a neuron in one tree; moments are numbers of moves made. */
export interface Inspection {
  neuron: number;
  tree: number;
  sign: number;
  /** One more than iterations: the last is after all of them. */
  leaf: number[];
  /** A mask: in which iterations it fires on the tree's datapoint. */
  fires: string;
  moments: Record<number, Look>;
}

/** All weights before the move of an iteration, row after row: eight bytes a number, in base64. */
export interface AllWeights {
  iteration: number;
  values: string;
}

/** All watch lists in numbers. */
export interface Lists {
  sentence: string;
  listed: number;
  watched: number[];
  firing: number[];
}

/** Operations by phase, what building took, and those of the iterations before: of the run, then of the dense method. */
export interface Costs {
  own: number[];
  dense: number[];
  build: number;
  before: [own: number, dense: number];
}

/** What a search would read and find at evenly spaced thresholds from `low` to `high`. */
export interface Spread {
  low: number;
  high: number;
  reads: number[];
  fires: number[];
}

/**
 * Leaves of neurons that a move touches, before and after it; made by stage/touched.py. Counts by neuron, over all
 * datapoints.
 */
export interface Touched {
  neurons: number[];
  /** Neurons touched in all. */
  moved: number;
  /** The datapoint of the first strip. */
  first: number;
  /** A digit for each neuron: 1 if it fired, plus 2 if it fires after the move, plus 4 if its leaf has changed. */
  strips: string[];
  changed: number[];
  starts: number[];
  stops: number[];
}

/** The Gram matrix up to its diagonal, row after row; made by stage/gram.py. */
export interface Gram {
  largest: number;
  /** A digit for each entry: 4 where it is 0, up to 8 above and down to 0 below. */
  shades: string;
}

/** Everything about one iteration seen from one tree. */
export interface Frame {
  view: View;
  iteration: number;
  summary: string;
  record: { loss: string; residual: number[]; dual: number[]; status: string };
  point: DatapointValues;
  nodes: Nodes;
  leaves: Record<number, Leaf>;
  script: Record<string, Step[]>;
  /** What each line of pseudocode came to; empty where iterations are compared. */
  values: string[];
  watch: Lists | null;
  /** Of all datapoints; a comparison has none. */
  meter: Costs | null;
  /** Unless two iterations are compared, or nothing moves. */
  touched: Touched | null;
  /** Of at most 60 datapoints, unless two iterations are compared, or no neuron fires. */
  gram: Gram | null;
  /** Nodes by tree and level. */
  visited: number[][];
  modified: number[][];
  plane: NeuronPlane;
  /** Of a run that searches trees, unless two iterations are compared. */
  spread: Spread | null;
}

/** The network's output over the input plane, in thousandths, by iteration; `error` says why there is none. */
export interface Fields {
  error?: string;
  extent: [left: number, right: number, bottom: number, top: number];
  values: Record<number, number[]>;
}

/** What an address calls each part of a moment. */
export type AddressNames = Record<
  "tree" | "iteration" | "phase" | "step" | "node" | "detail" | "opened" | "pinned",
  string
>;

/** Where to begin. */
export interface Start extends View, Cursor {
  node: number | null;
  /** another number each time that an address or a button asks for it; 0: a run is found where it was left */
  named?: number;
  /** whether it is the run before with other neurons, so that the stage stays at the moment it is at */
  stays?: boolean;
  address: AddressNames;
}

/** A question of a scene, with its right answer: nodes by heap number. */
export type QuestionAsked = { ask: string; why: string; hint: string } & (
  | ({ kind: "click"; candidates: number[]; right: number[] } & Partial<Hunt>)
  | { kind: "choose"; options: string[]; right: number }
  | { kind: "estimate"; right: number; within: number; unit: string }
);

/** What is said of each node where the wrong ones are looked for, in one tree at one iteration: one of them is enough. */
export interface Hunt {
  reasons: Record<number, string>;
  tree: number;
  iteration: number;
}

/** The scene on show; made by pages/lessons.py. */
/** A table written out: the first entry of a row is its name. */
export interface TableShown {
  caption: string;
  head: string[];
  rows: string[][];
  strong: number;
}

export interface LessonShown {
  key: string;
  title: string;
  index: number;
  count: number;
  /** Title of the next scene, or "". */
  next: string;
  /** Questions in the whole lesson. */
  questions: number;
  scene: {
    title: string;
    text: string;
    focus: string;
    table: TableShown | null;
    /** "iteration" if the meter leaves out the sums of the whole run. */
    meter: string;
    notes: string;
    experiment: string; // of the Lab, or ""
    error: string;
    question: QuestionAsked | null;
    /** Of all iterations computed, for a scene that speaks of them. */
    losses: number[] | null;
  };
}

/** The scene that the viewer turns to; null leaves the lesson. */
export interface Turn {
  to: number | null;
  /** Milliseconds, so that no two are alike. */
  at: number;
}

/** What the teacher does with a class poll. */
export interface PollPress {
  poll: "open" | "reveal" | "close";
  /** Milliseconds, so that no two are alike. */
  at: number;
}

/** A bar of a poll's histogram, and whether it is that of the right answer. */
export interface PollBar {
  label: string;
  count: number;
  right: boolean;
}

/** The poll that is open; made by pages/poll.py. */
export interface PollShown {
  number: number;
  code: string;
  /** To be typed, and with the code in it. */
  address: string;
  link: string;
  /** Rows of 0 and 1. */
  qr: string[];
  warning: string;
  answers: number;
  /** How many of them are right. */
  right: number;
  /** Whether students have been shown what is right. */
  revealed: boolean;
  full: boolean;
  bars: PollBar[];
  /** Nodes that have no bar. */
  more: number;
}

/** How the session's poll stands; `error` says why there is none. */
export interface PollNews {
  poll: PollShown | null;
  error: string;
}

export interface Answer {
  header: Header;
  status: Status;
  frames: Frame[];
  fields: Fields | null;
  neuron?: Inspection | null;
  weights?: AllWeights | null;
  notices: string[];
  start: Start;
  introduction?: Introduction;
  lesson?: LessonShown | null;
  nonce: number;
  /** Of a replay: why the frame under the cursor will not come. */
  refusal?: Refusal;
}

/** What a replay says of what it does not hold, and the address at which the app shows the run, if it can. */
export interface Refusal {
  words: string;
  app: string | null;
}

export interface Question {
  run: string;
  nonce: number;
  view: View;
  wanted: number[];
  cursor: number | null;
  fields: number[];
  /** The neuron that is inspected, if something of it is missing, and after how many moves its weights are. */
  neuron: number | null;
  moments: number[];
  /** The iteration whose weights are missing, if a datapoint is moved in it. */
  weights: number | null;
}

/** What is known and written where the cursor is. */
export interface Moment {
  phase: Phase;
  isCompared: boolean;
  line: number;
  text: string;
  row: number;
  /** Rows up to the root in a search, up to the node under the cursor from a leaf that is moved or written. */
  way: number[];
  entered: Uint8Array;
  values: number[];
  written: Uint8Array;
  promoted: Uint8Array;
}

export type Unit = "step" | "phase" | "iteration";
export type Point = [x: number, y: number];

/** How the page has opened the stage. */
export interface Introduction {
  /** How often the introduction was closed to see the stage play. */
  plays?: number;
  /** How often the stage was asked to begin in lecture mode. */
  lectures?: number;
  /** The cookie by which the browser is to remember that the introduction was seen; "" if it is not to. */
  cookie?: string;
  /** "" on the app's page; alone in a frame of another page with its controls, or bare of them. */
  embedding?: "" | "controls" | "bare";
}
