// One camera: its picture as it comes, and over it what the device makes of it.
import { clock, failed, html, icon, look, nothing, number, page, render, repeat, svg, t } from "./core.js";

const EVERY_MS = 350;
const LAYERS = ["zones", "facings", "shoppers", "decisions"];
const place = document.getElementById("camera");
const address = `/api/v1/cameras/${encodeURIComponent(page.camera)}`;
let overlay = null;
let picture = null; // object URL
let error = null;
let shown = new Set(stored() ?? ["facings", "shoppers", "decisions", "zones"]);

function stored() {
  try {
    return JSON.parse(localStorage.getItem("layers"));
  } catch {
    return null;
  }
}

function toggle(layer) {
  if (!shown.delete(layer)) shown.add(layer);
  try {
    localStorage.setItem("layers", JSON.stringify([...shown]));
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  show();
}

// ---------- pictures come one after the other, never faster than they can be fetched

let newest = null; // number of the frame that is shown
async function refresh() {
  if (!document.hidden) {
    try {
      const drawn = await look(`${address}/overlay`);
      if (drawn.frame !== newest) await fetchPicture(drawn.frame);
      overlay = drawn;
      error = null;
    } catch (refused) {
      error = refused;
    }
    show();
  }
  setTimeout(refresh, error ? 2000 : EVERY_MS);
}

async function fetchPicture(frame) {
  const width = place.clientWidth * devicePixelRatio > 1100 ? 1280 : 960;
  const answer = await fetch(`${address}/picture.jpg?width=${width}`, { cache: "no-store" });
  if (!answer.ok) return;
  const before = picture;
  picture = URL.createObjectURL(await answer.blob());
  newest = frame;
  if (before) setTimeout(() => URL.revokeObjectURL(before), 1000);
}

// ---------- what is drawn over it, in thousandths of the picture's width

const W = 1000;
const high = () => (W * overlay.camera.height_px) / overlay.camera.width_px;
const at = ([x, y]) => [Math.round(x * W * 10) / 10, Math.round(y * high() * 10) / 10];
const points = (polygon) => polygon.map((each) => at(each).join(",")).join(" ");
const top = (polygon) => { const [x, y] = at(polygon.reduce((best, each) => (each[1] < best[1] - 0.01 || (Math.abs(each[1] - best[1]) <= 0.01 && each[0] < best[0]) ? each : best))); return [Math.max(x, 2), Math.max(y, 2)]; };

const UNNAMED = new Set(["floor", "fixture"]); // what they are can be seen
const middle = (polygon) => { const spots = polygon.map(at); return [0, 1].map((axis) => spots.reduce((sum, spot) => sum + spot[axis], 0) / spots.length - [45, 13][axis]); };

/** A label that can be read on any picture. */
const label = ([x, y], text, kind = "") => svg`<g class="label ${kind}" transform="translate(${x} ${y})"><rect width=${[...text].reduce((sum, each) => sum + (each.codePointAt(0) > 0x2e80 ? 16.5 : 8.8), 14)} height="26" rx="6" /><text x="7" y="18.5">${text}</text></g>`;

const layers = {
  zones: () => overlay.zones.map((each) => svg`<polygon class="zone ${each.kind}" points=${points(each.polygon)} />${UNNAMED.has(each.kind) ? nothing : label(top(each.polygon), each.name, "is-quiet")}`),
  facings: () => overlay.facings.map((each) => svg`<polygon class="facing-drawn ${each.hand ? "hand" : ""} ${each.pieces === 0 ? "none" : ""}" points=${points(each.polygon)} />${label(top(each.polygon), `${each.product} ${each.pieces}/${each.capacity}`, each.hand ? "is-hand" : "is-quiet")}`),
  shoppers: () => overlay.shoppers.map((each) => { const [x1, y1] = at(each.feet); const [x2, y2] = at(each.head); return svg`<line class="shopper-drawn" x1=${x1} y1=${y1} x2=${x2} y2=${y2} /><circle class="feet" cx=${x1} cy=${y1} r="9" />${label([x2 - 20, Math.max(y2 - 34, 2)], each.shopper ?? t("live.not_checked_in"))}`; }),
  decisions: () => overlay.decisions.filter((each) => each.polygon.length && each.age_s < 6).map((each) => svg`<polygon class="decided ${each.result}" points=${points(each.polygon)} />${label(middle(each.polygon), `${each.kind === "take" ? "↑" : "↓"} ${each.quantity} × ${each.name ?? t("live.unknown")}`, each.result === "in_review" ? "is-review" : "is-decided")}`),
};

const available = () => LAYERS.filter((each) => overlay[each].length || each === "decisions");

function show() {
  if (!overlay) return error ? render(failed(error, refresh), place) : undefined;
  const { camera } = overlay;
  render(html`<div class="columns camera-page">
    <section class="card flush">
      <div class="row apart wrap camera-bar"><a class="button quiet icon-only" href="/cameras" aria-label=${t("cameras.back")}>${icon("back")}</a>
        <div class="choice" role="group" aria-label=${t("cameras.layers")}>${available().map((each) => html`<button type="button" aria-pressed=${shown.has(each) ? "true" : "false"} @click=${() => toggle(each)}>${t(`cameras.layer_${each}`)}</button>`)}</div></div>
      <div class="view large">${picture ? html`<img src=${picture} alt=${t("cameras.picture", { name: camera.name })} decoding="async">` : nothing}
        <svg class="overlay" viewBox="0 0 ${W} ${high()}" aria-hidden="true">${LAYERS.filter((each) => shown.has(each)).map((each) => svg`<g>${layers[each]()}</g>`)}</svg></div>
      <p class="soft small camera-foot">${overlay.taken_at ? html`<time>${clock(overlay.taken_at)}</time> · ` : nothing}${t(`cameras.hidden_${overlay.hidden}`)}${error ? html` · <strong>${t("cameras.not_fresh")}</strong>` : nothing}</p>
    </section>
    <div class="stack">
      <section class="card"><header><h2>${t("cameras.facts")}</h2></header><dl class="facts">
        <dt>${t("cameras.status")}</dt><dd>${t(`camera_status.${camera.status}`)}${camera.reason && camera.status !== "ended" ? html`<br><span class="soft small" lang="en">${camera.reason}</span>` : nothing}</dd>
        <dt>${t("cameras.place")}</dt><dd>${t(`camera_status.place_${camera.place}`)}${camera.place_reason ? html`<br><span class="soft small" lang="en">${camera.place_reason}</span>` : nothing}</dd>
        <dt>${t("cameras.job")}</dt><dd>${t(`cameras.role_${camera.role}`)}</dd>
        <dt>${t("cameras.size")}</dt><dd class="number">${camera.width_px} × ${camera.height_px}</dd>
        <dt>${t("cameras.comes")}</dt><dd class="number">${t("cameras.rate", { rate: number(camera.grabbed_fps, 1) })}</dd>
        <dt>${t("cameras.looked")}</dt><dd class="number">${t("cameras.rate", { rate: number(camera.looked_at_fps, 1) })}${camera.resting ? html` <span class="soft">(${t("cameras.resting")})</span>` : nothing}</dd>
        <dt>${t("cameras.again")}</dt><dd class="number">${camera.reconnects}</dd></dl></section>
      <section class="card flush"><header><h2>${t("cameras.decided")}</h2></header>${overlay.decisions.length
        ? html`<ul class="list">${repeat(overlay.decisions, (each) => each.event_id, (each) => html`<li class="item">${icon(each.kind)}<span class="grow"><span class="block">${each.quantity} × ${each.name ?? t("live.unknown")}</span><span class="soft small"><time>${clock(each.happened_at)}</time>${each.facing ? html` · ${each.facing}` : nothing}</span></span>${each.result === "in_review" ? html`<a class="chip warn" href="/review">${icon("wait")}${t("live.in_review")}</a>` : nothing}</li>`)}</ul>`
        : html`<p class="soft pad">${t("cameras.nothing_decided")}</p>`}</section>
    </div></div>`, place);
}

refresh();
