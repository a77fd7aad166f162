// What the stage uses of gifenc 1.0.3, which stands here as it was published: dist/gifenc.esm.js.

type Palette = number[][];
interface FrameOptions {
  palette: Palette;
  delay: number;
  transparent: boolean;
  transparentIndex: number;
  dispose: number;
}
export function GIFEncoder(): {
  writeFrame(index: Uint8Array, width: number, height: number, options: FrameOptions): void;
  finish(): void;
  bytes(): Uint8Array<ArrayBuffer>;
};
export function quantize(data: Uint8ClampedArray, most: number): Palette;
export function applyPalette(data: Uint8ClampedArray, palette: Palette): Uint8Array;
