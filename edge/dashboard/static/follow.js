// Follows pieces of a picture from frame to frame: where has what was here gone? Pure; grey pictures
// in, places out. Knows neither camera nor page.
//
// A piece is sampled on a grid and compared, after its own brightness is taken off, with places
// nearby: coarsely around where it was going, then finely around the best (block matching, as video
// coders do it). A place that matches badly is no place: the piece is lost, and says so.

const GRID = 14; // samples along each side
const NEAR = 10; // pixels that are looked at around the expected place, in each direction
const WORST = 34; // mean difference from which a piece counts as lost, grey levels

/** A grey picture: {width, height, grey: Uint8Array}. */
export function greyOf(rgba, width, height) {
  const grey = new Uint8Array(width * height);
  for (let at = 0, from = 0; at < grey.length; at += 1, from += 4) {
    grey[at] = (rgba[from] * 77 + rgba[from + 1] * 150 + rgba[from + 2] * 29) >> 8;
  }
  return { width, height, grey };
}

/** What a box {x, y, w, h} (shares of the picture) holds, to be found again. */
export function sampled(picture, box) {
  const samples = new Float32Array(GRID * GRID);
  let sum = 0;
  // The middle of a box is the thing, its rim the ground behind it.
  for (let row = 0, at = 0; row < GRID; row += 1) {
    for (let column = 0; column < GRID; column += 1, at += 1) {
      const x = Math.round((box.x + box.w * (0.1 + (0.8 * (column + 0.5)) / GRID)) * picture.width);
      const y = Math.round((box.y + box.h * (0.1 + (0.8 * (row + 0.5)) / GRID)) * picture.height);
      samples[at] = pixel(picture, x, y);
      sum += samples[at];
    }
  }
  const mean = sum / samples.length;
  for (let at = 0; at < samples.length; at += 1) samples[at] -= mean;
  return samples;
}

function pixel(picture, x, y) {
  const column = x < 0 ? 0 : x >= picture.width ? picture.width - 1 : x;
  const row = y < 0 ? 0 : y >= picture.height ? picture.height - 1 : y;
  return picture.grey[row * picture.width + column];
}

function differs(picture, samples, box) {
  const here = sampled(picture, box);
  let sum = 0;
  for (let at = 0; at < here.length; at += 1) sum += Math.abs(here[at] - samples[at]);
  return sum / here.length;
}

/**
 * Where a box has gone in a newer picture.
 * `going` is how far it went in the step before, {x, y} in shares.
 * Gives {box, difference, lost}.
 */
export function followed(picture, samples, box, going = { x: 0, y: 0 }) {
  const stepX = 1 / picture.width, stepY = 1 / picture.height;
  let best = { ...box };
  let least = differs(picture, samples, best);
  const look = (from, reach, stride) => {
    let found = from;
    for (let down = -reach; down <= reach; down += stride) {
      for (let across = -reach; across <= reach; across += stride) {
        const there = { ...from, x: from.x + across * stepX, y: from.y + down * stepY };
        const difference = differs(picture, samples, there);
        if (difference < least) { least = difference; found = there; }
      }
    }
    return found;
  };
  const expected = { ...box, x: box.x + going.x, y: box.y + going.y };
  const there = differs(picture, samples, expected);
  if (there < least) { least = there; best = expected; }
  best = look(best, NEAR, 2);
  best = look(best, 1, 1);
  return { box: best, difference: least, lost: least > WORST };
}

/** How much there is to follow: mean deviation from the piece's own brightness, grey levels. */
export function contrast(samples) {
  return samples.reduce((sum, each) => sum + Math.abs(each), 0) / samples.length;
}

/** Overlap of two boxes: intersection over union. */
export function overlap(a, b) {
  const across = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  const common = Math.max(0, across) * Math.max(0, down);
  return common / (a.w * a.h + b.w * b.h - common);
}

/** The box that encloses the corners [{x, y}, ...] of a polygon. */
export function around(corners) {
  const xs = corners.map((each) => each.x ?? 0), ys = corners.map((each) => each.y ?? 0);
  const x = Math.min(...xs), y = Math.min(...ys);
  return { x, y, w: Math.max(...xs) - x, h: Math.max(...ys) - y };
}
