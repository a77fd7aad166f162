// What the map is sent; made by related/component.py.

export interface Paper {
  key: string;
  title: string;
  authors: string;
  year: number;
  label: string;
  role: "this" | "later" | "earlier";
  relation: string;
  /** Close in method. */
  isClose: boolean;
  /** Place in the unit square. */
  x: number;
  y: number;
}

/** A column or a lane, from and to in the unit square. */
export interface Band {
  name: string;
  from: number;
  to: number;
}

export interface Drawing {
  papers: Paper[];
  edges: { ends: [string, string]; is_central: boolean; authors: string[] }[];
  years: Band[];
  themes: Band[];
  /** Keys of the papers that are not faded. */
  shown: string[];
  /** Keys of those that a search found. */
  found: string[];
  /** Key of the open paper. */
  selected: string;
}

export type Point = [x: number, y: number];
export type Box = [left: number, top: number, right: number, bottom: number];
