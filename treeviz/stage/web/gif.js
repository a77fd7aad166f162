// Writes a film as GIF, frame by frame.

import { GIFEncoder, applyPalette, quantize } from "./vendor/gifenc.js";

const COLORS_OF_GIF = 256; // each frame has its own

export class GifWriter {
  type = "image/gif";
  encoder = GIFEncoder();
  told = 0; // hundredths of a second that the frames so far stay, the unit of the format
  due = 0; // the same, not rounded

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} time milliseconds for which the frame stays
   */
  async add(canvas, time) {
    const { width, height } = canvas;
    const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(
      0,
      0,
      width,
      height,
    );
    const palette = quantize(data, COLORS_OF_GIF);
    this.due += time / 10;
    const delay = Math.round(this.due) - this.told;
    this.told += delay;
    this.encoder.writeFrame(applyPalette(data, palette), width, height, { palette, delay: 10 * delay });
  }

  async finish() {
    this.encoder.finish();
    return new Blob([this.encoder.bytes()], { type: this.type });
  }
  close() {} // there is nothing to let go of
}
