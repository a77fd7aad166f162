(() => {
  // What the page holds is unpacked here, and its script begun. Written for old browsers, too: they are told so.
  const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%:()*+-;,=.?@^_`{|}~";
  const say = (/** @type {string} */ words) => {
    const place = document.getElementById("opening");
    if (place) place.textContent = words;
  };
  const bytesOf = (/** @type {string} */ text) => {
    const [places, missing] = [new Uint8Array(128), (5 - (text.length % 5)) % 5];
    for (let place = 0; place < 85; place++) places[letters.charCodeAt(place)] = place;
    const whole = text + "~".repeat(missing);
    const bytes = new Uint8Array((whole.length / 5) * 4);
    for (let from = 0, to = 0; from < whole.length; from += 5) {
      let number = 0;
      for (let place = from; place < from + 5; place++) number = number * 85 + places[whole.charCodeAt(place)];
      for (let shift = 16777216; shift >= 1; shift /= 256) bytes[to++] = Math.floor(number / shift) % 256;
    }
    return bytes.subarray(0, bytes.length - missing);
  };
  const unpack = (/** @type {string} */ name) => {
    const text = document.getElementById(name)?.textContent ?? "";
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  };
  if (typeof DecompressionStream === "undefined" || typeof CompressionStream === "undefined") {
    say("This browser is too old to show the run: please use one of 2023 or later.");
    return;
  }
  Object.assign(globalThis, { treevizUnpack: unpack });
  unpack("script").then(
    (text) => {
      const script = document.createElement("script");
      script.type = "module";
      script.textContent = text;
      document.head.append(script);
    },
    () => say("This file is damaged: please get it again."),
  );
})();
