// Charts as SVG of the page itself: curves, a map of points, a tornado. They follow the theme by
// style classes, and every one of them has its numbers in words or a table beside it.
import { html, nothing, number, svg, t } from "./core.js";

const WIDE = matchMedia("(max-width: 44rem)").matches ? 360 : 640; // so that letters stay readable

/** Round steps between two ends. */
export function ticks(low, high, wanted = 4) {
  if (!(high > low)) return [low];
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}
const short = (value) => number(value, Math.abs(value) >= 10 || Number.isInteger(value) ? 0 : Math.abs(value) >= 1 ? 1 : 2);

/**
 * Curves over the same axis.
 * @param {{name: string, points: {x: number, y: number}[]}[]} series
 */
export function curves(title, series, { high = 210, unit = "" } = {}) {
  const drawn = series.filter((each) => each.points.length);
  if (!drawn.length) return nothing;
  const all = drawn.flatMap((each) => each.points);
  const xs = all.map((each) => each.x);
  const ys = all.map((each) => each.y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [least, most] = [Math.min(0, ...ys), Math.max(...ys)];
  const box = { left: 52, right: 14, top: 10, bottom: 26 };
  const x = (value) => box.left + ((value - left) / (right - left || 1)) * (WIDE - box.left - box.right);
  const y = (value) => high - box.bottom - ((value - least) / (most - least || 1)) * (high - box.top - box.bottom);
  const line = (points) => points.map((each, index) => `${index ? "L" : "M"}${x(each.x).toFixed(1)} ${y(each.y).toFixed(1)}`).join("");
  return html`<figure class="chart"><figcaption class="row apart wrap"><span class="strong">${title}</span>${drawn.length > 1 ? html`<span class="row wrap small">${drawn.map((each, index) => html`<span class="key s${index}">${each.name}</span>`)}</span>` : nothing}</figcaption>
    <svg viewBox="0 0 ${WIDE} ${high}" role="img" aria-label=${`${title}: ${drawn.map((each) => `${each.name} ${short(each.points[0].y)} → ${short(each.points.at(-1).y)}${unit}`).join("; ")}`}>
      ${ticks(least, most).map((at) => svg`<g class="grid"><line x1=${box.left} x2=${WIDE - box.right} y1=${y(at)} y2=${y(at)} /><text x=${box.left - 8} y=${y(at) + 4} text-anchor="end">${short(at)}</text></g>`)}
      ${ticks(left, right, 5).map((at) => svg`<g class="grid"><text x=${x(at)} y=${high - 6} text-anchor="middle">${short(at)}</text></g>`)}
      ${drawn.map((each, index) => svg`<path class="curve s${index}" d=${line(each.points)} /><circle class="end s${index}" cx=${x(each.points.at(-1).x)} cy=${y(each.points.at(-1).y)} r="3.5" />`)}
    </svg></figure>`;
}

/**
 * Points where near means alike.
 * @param {{key: string, x: number, y: number, colour: number, title: string, moved: boolean}[]} points places in 0 to 1
 */
export function scatter(title, points, chosen, choose) {
  const at = (each) => [20 + each.x * (WIDE - 40), 400 - each.y * 380];
  return html`<figure class="chart"><svg viewBox="0 0 ${WIDE} 420" role="img" aria-label=${title}>
    <rect class="ground" x="0" y="0" width=${WIDE} height="420" rx="10" />
    ${points.map((each) => {
      const [x, y] = at(each);
      return svg`<g class="place c${each.colour} ${each.moved ? "moved" : ""} ${chosen === each.key ? "chosen" : ""}" transform="translate(${x.toFixed(1)} ${y.toFixed(1)})" @click=${() => choose(each.key)}><title>${each.title}</title><circle r=${each.moved ? 8 : 6} /></g>`;
    })}</svg></figure>`;
}

/**
 * How far each figure moves an amount, the widest first.
 * @param {{label: string, at_low: number, at_high: number, low: string, high: string}[]} swings
 */
export function tornado(title, swings, middle, amount) {
  const ends = swings.flatMap((each) => [each.at_low, each.at_high, middle]);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const left = (value) => ((value - least) / (most - least || 1)) * 100;
  return html`<figure class="tornado" role="group" aria-label=${title}>
    <ul>${swings.map((each) => {
      const [from, to] = [Math.min(each.at_low, each.at_high), Math.max(each.at_low, each.at_high)];
      const grows = each.at_high >= each.at_low;
      return html`<li><span class="swing-name">${each.label}</span>
        <span class="swing"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
          <rect class=${grows ? "less" : "more"} x=${left(from)} y="1" width=${Math.max(0, left(Math.min(middle, to)) - left(from))} height="8" />
          <rect class=${grows ? "more" : "less"} x=${left(Math.max(middle, from))} y="1" width=${Math.max(0, left(to) - left(Math.max(middle, from)))} height="8" />
          <rect class="middle" x=${left(middle) - 0.15} y="0" width=".3" height="10" /></svg></span>
        <span class="swing-text small number">${t("portal.swing", { low: each.low, high: each.high })} <span class="strong">${amount(each.at_low)} – ${amount(each.at_high)}</span></span></li>`;
    })}</ul></figure>`;
}
