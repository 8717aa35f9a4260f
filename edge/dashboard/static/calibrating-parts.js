// What the wizard's steps are built of: numbers by a pad of digits, lights, pictures that points are
// set in, the floor plan. Knows no step.
import { html, icon, number, render, svg, t } from "./core.js";

const API = "/api/v1/calibration";
export const api = (path = "") => API + path;
export const ofCamera = (name, path = "") => `${API}/cameras/${encodeURIComponent(name)}${path}`;

// ---------- numbers by touch

/** Ask for a number with a pad of digits: gives it, undefined for none where that may be, or null when it was left. */
export function askNumber(label, value, unit, optional = false) {
  const dialog = document.createElement("dialog");
  document.body.append(dialog);
  let text = value === null || value === undefined ? "" : String(Math.round(value * 1000) / 1000);
  let fresh = true;
  return new Promise((resolve) => {
    const close = (result) => { dialog.close(); resolve(result); };
    const ok = () => { if (optional && text === "") close(undefined); const found = Number(text); if (text !== "" && Number.isFinite(found)) close(found); };
    const press = (key) => {
      if (key === "<") text = text.slice(0, -1);
      else if (key === "-") text = text.startsWith("-") ? text.slice(1) : `-${fresh ? "" : text}`;
      else if (key !== "." || fresh || !text.includes(".")) text = (fresh ? "" : text) + key;
      fresh = false;
      draw();
    };
    const draw = () => render(html`<form method="dialog" @submit=${(e) => { e.preventDefault(); ok(); }}>
      <h2 id="pad-title">${label}</h2>
      <div class="cal-pad">
        <output>${text || " "} <span class="soft">${unit}</span></output>
        ${["7", "8", "9", "4", "5", "6", "1", "2", "3", ".", "0", "<"].map((key) => html`<button type="button" class="button" data-key=${key} aria-label=${key === "<" ? t("calibrating.erase") : key} @click=${() => press(key)}>${key === "<" ? icon("back") : key}</button>`)}
        ${optional ? html`<button type="button" class="button quiet" data-key="none" @click=${() => close(undefined)}>${t("calibrating.no_number")}</button>` : html`<button type="button" class="button" data-key="-" @click=${() => press("-")}>±</button>`}
        <button type="button" class="button quiet" @click=${() => close(null)}>${t("common.cancel")}</button>
        <button type="button" class="button primary" data-key="ok" @click=${ok}>${t("calibrating.ok")}</button>
      </div></form>`, dialog);
    dialog.addEventListener("keydown", (event) => {
      if (/^[0-9.]$/.test(event.key)) press(event.key);
      else if (event.key === "Backspace") press("<");
      else if (event.key === "-" && !optional) press("-");
      else if (event.key === "Enter") ok();
      else return;
      event.preventDefault();
    });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(null); });
    dialog.setAttribute("aria-labelledby", "pad-title");
    draw();
    dialog.showModal();
  });
}

const decimals = { m: 2, cm: 1 };

/** A number that is set by tapping it; `change` gets null for none where it is optional. */
export const numberField = (key, label, value, unit, change, optional = false) => html`<button type="button" class="cal-num" data-number=${key}
  @click=${async () => { const found = await askNumber(label, value, unit, optional); if (found !== null) change(found ?? null); }}>
  <span class="soft">${label}</span><b>${value === null || value === undefined ? "–" : `${number(value, decimals[unit] ?? 0)} ${unit}`}</b></button>`;

/** One of several. */
export const choice = (label, options, chosen, choose) => html`<div class="choice" role="group" aria-label=${label}>
  ${options.map(([value, text]) => html`<button type="button" data-choice=${value} aria-pressed=${String(value === chosen)} @click=${() => choose(value)}>${text}</button>`)}</div>`;

// ---------- lights

const kinds = { green: "good", amber: "warn", red: "bad" };
const signs = { green: "check", amber: "alert", red: "cross" };
export const light = (name) => html`<span class="chip ${kinds[name] ?? ""}" data-light=${name}>${icon(signs[name] ?? "wait")}${t(`calibrating.light_${name}`)}</span>`;
export const say = (text, kind = "", sign = "wait") => html`<p class="cal-say ${kind}" role="status">${icon(sign)}<span>${text}</span></p>`;

// ---------- a picture that lives

/** A camera's picture in an element of its own: it reloads while it is in the page. */
export class LivePicture {
  constructor(name, { still = false, everyMs = 300 } = {}) {
    this.name = name;
    this.still = still;
    this.image = new Image();
    this.image.alt = t("calibrating.picture_of", { name });
    this.image.draggable = false;
    this.stamp = 0;
    this.everyMs = everyMs;
    this.next();
  }

  next() {
    clearTimeout(this.timer);
    const stale = this.image.isConnected === false && this.stamp > 40;
    if (stale) return;
    this.stamp += 1;
    this.image.onload = this.image.onerror = () => {
      if (!this.still) this.timer = setTimeout(() => this.next(), this.everyMs);
    };
    const turn = this.still ? Date.now() : this.stamp;
    this.image.src = ofCamera(this.name, `/picture.jpg?width=1280&still=${this.still}&n=${turn}`);
  }

  stop() { clearTimeout(this.timer); this.image.onload = this.image.onerror = null; }
}

/** Where in the camera's picture, in its pixels, a pointer is. */
export function pixelAt(event, box, size) {
  const place = box.getBoundingClientRect();
  // Pixels have their centres on whole numbers.
  const x = ((event.clientX - place.left) / place.width) * size[0] - 0.5;
  const y = ((event.clientY - place.top) / place.height) * size[1] - 0.5;
  return [Math.min(Math.max(x, 0), size[0] - 1), Math.min(Math.max(y, 0), size[1] - 1)].map((each) => Math.round(each * 10) / 10);
}

/** A magnifier over a picture while a point is set. */
export function loupe(box, image, event) {
  let lens = box.querySelector(".cal-loupe");
  if (!event) { lens?.remove(); return; }
  const place = box.getBoundingClientRect();
  if (!lens) {
    lens = document.createElement("div");
    lens.className = "cal-loupe";
    lens.append(document.createElement("canvas"));
    box.append(lens);
  }
  const x = event.clientX - place.left, y = event.clientY - place.top;
  lens.style.setProperty("left", `${x > place.width / 2 ? 12 : place.width - 156}px`);
  lens.style.setProperty("top", "12px");
  const canvas = lens.firstChild, side = 144, zoom = 4;
  canvas.width = canvas.height = side;
  const scale = image.naturalWidth / place.width, half = side / 2 / zoom * scale;
  const pen = canvas.getContext("2d");
  pen.drawImage(image, x * scale - half, y * scale - half, 2 * half, 2 * half, 0, 0, side, side);
  pen.strokeStyle = "#e5484d";
  pen.beginPath(); pen.moveTo(side / 2, 0); pen.lineTo(side / 2, side); pen.moveTo(0, side / 2); pen.lineTo(side, side / 2); pen.stroke();
}

export const cross = ([x, y], label, size, chosen) => {
  const arm = size[0] / 60;
  return svg`<g><path class="cal-point ${chosen ? "in" : ""}" d="M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}"/><circle class="cal-point ${chosen ? "in" : ""}" cx=${x} cy=${y} r=${arm / 1.6}/><text class="cal-label" font-size=${arm * 1.2} x=${x + arm} y=${y - arm}>${label}</text></g>`;
};

// ---------- the floor plan, y up

export function planBox(shop) {
  const xs = shop.outline.map((each) => each[0]), ys = shop.outline.map((each) => each[1]);
  const [low, high] = [[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]];
  const edge = 0.4;
  return { x: low[0] - edge, y: -high[1] - edge, width: high[0] - low[0] + 2 * edge, height: high[1] - low[1] + 2 * edge };
}

export function floorAt(event, drawing, shop) {
  const place = drawing.getBoundingClientRect(), box = planBox(shop);
  const scale = Math.min(place.width / box.width, place.height / box.height);
  const left = place.left + (place.width - box.width * scale) / 2, top = place.top + (place.height - box.height * scale) / 2;
  const x = box.x + (event.clientX - left) / scale, y = -(box.y + (event.clientY - top) / scale);
  return [x, y].map((each) => Math.round(each * 100) / 100);
}

const points = (polygon) => polygon.map(([x, y]) => `${x},${-y}`).join(" ");

/** The plan; `over` is drawn on it, `tap` gets floor metres. */
export function plan(shop, over = "", { tap = null, move = null, up = null } = {}) {
  const box = planBox(shop), lines = [];
  for (let x = Math.ceil(box.x); x < box.x + box.width; x += 1) lines.push(svg`<line class="grid" x1=${x} x2=${x} y1=${box.y} y2=${box.y + box.height}/>`);
  for (let y = Math.ceil(box.y); y < box.y + box.height; y += 1) lines.push(svg`<line class="grid" x1=${box.x} x2=${box.x + box.width} y1=${y} y2=${y}/>`);
  const at = (act) => act && ((event) => act(floorAt(event, event.currentTarget, shop), event));
  return html`<svg class="cal-plan" viewBox="${box.x} ${box.y} ${box.width} ${box.height}" role="img" aria-label=${t("calibrating.plan")} @pointerdown=${at(tap)} @pointermove=${at(move)} @pointerup=${at(up)}>
    <polygon class="floor" points=${points(shop.outline)}/>${lines}
    ${shop.fixtures.map((each) => svg`<polygon class="fixture" points=${points(each.polygon)}/><line class="front" x1=${each.polygon[0][0]} y1=${-each.polygon[0][1]} x2=${each.polygon[1][0]} y2=${-each.polygon[1][1]}/><text font-size="0.16" x=${(each.polygon[0][0] + each.polygon[2][0]) / 2} y=${-(each.polygon[0][1] + each.polygon[2][1]) / 2}>${each.name}</text>`)}
    ${shop.cameras.filter((each) => each.at_m).map((each) => svg`<circle class="camera" cx=${each.at_m[0]} cy=${-each.at_m[1]} r="0.08"/><text font-size="0.15" x=${each.at_m[0]} y=${-each.at_m[1] - 0.18}>${each.name}</text>`)}
    ${over}</svg>`;
}
export { points };
