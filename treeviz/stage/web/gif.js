// Writes a film as GIF, frame by frame. After the first, a frame holds only the pixels that differ from those before.

import { GIFEncoder, applyPalette, quantize } from "./vendor/gifenc.js";

const COLORS_OF_GIF = 256; // each frame has its own, one of which stands for what stays
const KEEP = 1; // the format's word for a frame that stays below the next

export class GifWriter {
  type = "image/gif";
  encoder = GIFEncoder();
  told = 0; // hundredths of a second that the frames so far stay, the unit of the format
  due = 0; // the same, not rounded
  /** @type {Uint32Array<ArrayBuffer> | null} the pixels of the frame before */
  before = null;

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
    const pixels = new Uint32Array(data.buffer);
    const places = this.changed(pixels);
    const colors = new Uint8ClampedArray(Uint32Array.from(places, (place) => pixels[place]).buffer);
    const palette = places.length ? quantize(colors, COLORS_OF_GIF - 1) : [];
    const indices = applyPalette(colors, palette);
    const stays = palette.length;
    palette.push([0, 0, 0]);
    const index = new Uint8Array(pixels.length).fill(stays);
    places.forEach((place, number) => (index[place] = indices[number]));
    const keep = { transparent: this.before !== null, transparentIndex: stays, dispose: KEEP };
    this.before = pixels;
    this.due += time / 10;
    const delay = Math.round(this.due) - this.told;
    this.told += delay;
    this.encoder.writeFrame(index, width, height, { palette, delay: 10 * delay, ...keep });
  }

  /** Where a frame differs from the one before. @param {Uint32Array} pixels */
  changed(pixels) {
    const places = [];
    for (let place = 0; place < pixels.length; place++) {
      if (!this.before || pixels[place] !== this.before[place]) places.push(place);
    }
    return places;
  }

  async finish() {
    this.encoder.finish();
    return new Blob([this.encoder.bytes()], { type: this.type });
  }

  close() {} // there is nothing to let go of
}
