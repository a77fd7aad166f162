// Writes a film as WebM: the browser's own encoder makes the frames, and what holds them is written here (RFC 8794, 9559).

const CODECS = { "vp09.00.40.08": "V_VP9", vp8: "V_VP8" };
const KEY_EVERY = 5000; // milliseconds from one frame that stands by itself to the next at least: places to seek to
const QUEUE = 3; // frames that the encoder may be behind
const BITRATE = 4e6; // bits a second, while something changes
const TAIL = 40; // milliseconds before the end at which the last frame is written again, so that it stays till then

/** What the browser can encode in this size; null if it is nothing. @param {number} width @param {number} height */
async function encodingOf(width, height) {
  if (typeof VideoEncoder === "undefined") return null; // also in a page that was not sent safely
  for (const codec of /** @type {(keyof typeof CODECS)[]} */ (Object.keys(CODECS))) {
    const { supported, config } = await VideoEncoder.isConfigSupported({ codec, width, height, bitrate: BITRATE });
    if (supported && config) return { config, name: CODECS[codec] };
  }
  return null;
}

export class WebmWriter {
  type = "video/webm";
  time = 0; // milliseconds so far
  keyAt = -Infinity;
  /** @type {{ time: number, isKey: boolean, bytes: Uint8Array<ArrayBuffer> }[]} */
  chunks = [];
  /** @type {VideoFrame | null} */
  last = null;

  /**
   * @param {VideoEncoderConfig} config
   * @param {string} name of the codec in the file
   */
  constructor(config, name) {
    this.config = config;
    this.name = name;
    /** @type {Error | null} */
    this.fault = null;
    this.encoder = new VideoEncoder({
      output: (chunk) => {
        const bytes = new Uint8Array(chunk.byteLength);
        chunk.copyTo(bytes);
        this.chunks.push({ time: Math.round(chunk.timestamp / 1000), isKey: chunk.type === "key", bytes });
      },
      error: (error) => (this.fault = error),
    });
    this.encoder.configure(config);
  }

  /** Open one; null where the browser has no encoder. @param {number} width @param {number} height */
  static async open(width, height) {
    const found = await encodingOf(width, height);
    return found && new WebmWriter(found.config, found.name);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} time milliseconds for which the frame stays
   */
  async add(canvas, time) {
    this.encode(canvas, this.time);
    this.time += time;
    this.last?.close();
    this.last = new VideoFrame(canvas, { timestamp: 1000 * (this.time - TAIL) });
    while (this.encoder.encodeQueueSize > QUEUE && !this.fault) await new Promise((done) => setTimeout(done, 1));
    if (this.fault) throw this.fault;
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} at
   */
  encode(canvas, at) {
    const frame = new VideoFrame(canvas, { timestamp: 1000 * at });
    const keyFrame = at - this.keyAt >= KEY_EVERY;
    if (keyFrame) this.keyAt = at;
    this.encoder.encode(frame, { keyFrame });
    frame.close();
  }

  async finish() {
    if (this.last) this.encoder.encode(this.last);
    await this.encoder.flush();
    const { width, height } = this.config;
    return new Blob([webmOf(this.chunks, { width, height, codec: this.name, duration: this.time })], {
      type: this.type,
    });
  }

  /** Let go of the encoder. */
  close() {
    this.last?.close();
    this.last = null;
    if (this.encoder.state !== "closed") this.encoder.close();
  }
}

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/**
 * The file: clusters that begin with a frame that stands by itself, and where each of them is.
 * @param {{ time: number, isKey: boolean, bytes: Bytes }[]} chunks
 * @param {{ width: number, height: number, codec: string, duration: number }} about
 */
export function webmOf(chunks, { width, height, codec, duration }) {
  const float = new DataView(new ArrayBuffer(8));
  float.setFloat64(0, duration);
  const head = [
    element(0x1549a966, [
      element(0x2ad7b1, [whole(1_000_000)]), // nanoseconds in the unit of time
      element(0x4489, [new Uint8Array(float.buffer)]),
      element(0x4d80, [letters("treeviz")]),
      element(0x5741, [letters("treeviz")]),
    ]),
    element(0x1654ae6b, [
      element(0xae, [
        element(0xd7, [whole(1)]),
        element(0x73c5, [whole(1)]),
        element(0x83, [whole(1)]), // video
        element(0x9c, [whole(0)]),
        element(0x86, [letters(codec)]),
        element(0xe0, [element(0xb0, [whole(width)]), element(0xba, [whole(height)])]),
      ]),
    ]),
  ];
  /** @type {{ time: number, content: Bytes }[]} */
  const clusters = [];
  for (const [place, { time, isKey }] of chunks.entries()) {
    if (!isKey) continue;
    const next = chunks.findIndex((chunk, later) => later > place && chunk.isKey);
    const blocks = chunks.slice(place, next < 0 ? undefined : next).map((chunk) => blockOf(chunk, time));
    clusters.push({ time, content: element(0x1f43b675, [element(0xe7, [whole(time)]), ...blocks]) });
  }
  const cuesFrom = (/** @type {number} */ from) => {
    let at = from;
    const points = clusters.map(({ time, content }) => {
      const place = element(0xb7, [element(0xf7, [whole(1)]), element(0xf1, [whole(at)])]);
      at += content.length;
      return element(0xbb, [element(0xb3, [whole(time)]), place]);
    });
    return element(0x1c53bb6b, points);
  };
  const before = head.reduce((sum, { length }) => sum + length, 0);
  const cues = cuesFrom(before + cuesFrom(0).length); // all numbers take eight bytes, so the length is the same
  const header = element(0x1a45dfa3, [
    element(0x4286, [whole(1)]),
    element(0x42f7, [whole(1)]),
    element(0x42f2, [whole(4)]),
    element(0x42f3, [whole(8)]),
    element(0x4282, [letters("webm")]),
    element(0x4287, [whole(4)]),
    element(0x4285, [whole(2)]),
  ]);
  return joined([header, element(0x18538067, [...head, cues, ...clusters.map(({ content }) => content)])]);
}

/**
 * @param {{ time: number, isKey: boolean, bytes: Bytes }} chunk
 * @param {number} from the time of its cluster
 */
function blockOf({ time, isKey, bytes }, from) {
  const late = time - from;
  return element(0xa3, [new Uint8Array([0x81, late >> 8, late & 255, isKey ? 0x80 : 0]), bytes]);
}

/**
 * @param {number} id
 * @param {Bytes[]} parts
 */
function element(id, parts) {
  const content = joined(parts);
  const size = whole(content.length);
  size[0] = 1; // a size of eight bytes
  const name = whole(id);
  return joined([name.slice(name.findIndex((byte) => byte > 0)), size, content]);
}

/** A whole number in eight bytes. @param {number} value */
function whole(value) {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value));
  return new Uint8Array(view.buffer);
}

/** @param {string} text */
const letters = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** @param {Bytes[]} parts */
function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
