// What a race is sent; made by race/charts.py.

export interface Axis {
  title: string;
  format: "count" | "loss" | "seconds";
  is_log: boolean;
  /** Stands for what a logarithmic axis has no place for. */
  floor: number;
  floor_label: string;
}

export interface LineChart {
  kind: "lines";
  key: string;
  title: string;
  about: string;
  x: string;
  y: string;
  x_axis: Axis;
  y_axis: Axis;
  bare: string;
  rule: number | null;
  rule_label: string;
  has_references: boolean;
}

export interface PhaseChart {
  kind: "phases";
  key: string;
  title: string;
  about: string;
  is_share: boolean;
}

export interface PhaseColor {
  name: string;
  color: string;
  hatched: boolean;
}

/** A number for each lap that is sent; null is not finite. */
export type Column = (number | null)[];

export interface Contestant {
  key: string;
  title: string;
  color: string;
  dash: string;
  marker: string;
  reference: boolean;
  /** Operations by phase. */
  phases: Record<string, number>;
  columns: Record<string, Column> & Record<"iteration" | "loss" | "operations" | "seconds", Column>;
}

export interface Payload {
  charts: (LineChart | PhaseChart)[];
  phases: PhaseColor[];
  contestants: Contestant[];
}

export type Point = [x: number, y: number];
