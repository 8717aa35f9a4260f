// All cameras at a glance: a fresh picture of each every other second while somebody looks.
import { empty, failed, html, icon, look, n, nothing, number, render, repeat, span, t } from "./core.js";

const EVERY_MS = 2000;
const place = document.getElementById("cameras");
let cameras = null;
let error = null;
let turn = 0;

const PLACES = { amber: "warn", red: "bad" };
const STATUS = { running: ["good", "check"], ended: ["", "check"], connecting: ["warn", "wait"], stalled: ["bad", "alert"], frozen: ["bad", "alert"], lost: ["bad", "alert"] };

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await look("/api/v1/cameras");
    cameras = answer.items ?? answer;
    error = null;
    turn++;
  } catch (refused) {
    error = refused;
  }
  show();
}

const status = (each) => { const [kind, sign] = STATUS[each.status]; return html`<span class="chip ${kind}">${icon(sign)}${t(`camera_status.${each.status}`)}</span>`; };

const camera = (each) => html`<li><a class="card flush camera" href="/cameras/${encodeURIComponent(each.name)}">
  <div class="view">${each.frame_age_s === null ? icon("cameras") : html`<img src="${each.picture}?width=640&turn=${turn}" alt=${t("cameras.picture", { name: each.name })} decoding="async">`}</div>
  <div class="camera-text"><div class="row apart"><h2 class="cut">${each.name}</h2>${status(each)}</div>
    <p class="soft small">${t(`cameras.role_${each.role}`)}${each.status === "running" ? html` · <span class="number">${t("cameras.rate", { rate: number(each.looked_at_fps, 1) })}</span>` : nothing}</p>
    ${PLACES[each.place] ? html`<p class="row wrap"><span class="chip ${PLACES[each.place]}">${icon("alert")}${t(`camera_status.place_${each.place}`)}</span></p>` : nothing}
    ${each.reason && each.status !== "ended" ? html`<p class="small break" lang="en">${each.reason}</p>` : nothing}
    ${each.status !== "running" && each.status !== "ended" && each.frame_age_s !== null ? html`<p class="small">${t("cameras.old", { time: span(each.frame_age_s) })}</p>` : nothing}</div></a></li>`;

function show() {
  if (error && !cameras) return render(failed(error, refresh), place);
  const sick = cameras.filter((each) => !["running", "ended"].includes(each.status));
  render(html`<div class="stack">
    ${sick.length ? html`<a class="banner bad trouble" href="/health">${icon("alert")}<div class="grow"><p class="strong">${n("cameras.sick", sick.length)}</p><p class="small">${t("cameras.sick_text")}</p></div>${icon("next")}</a>` : nothing}
    ${cameras.length ? html`<ul class="tiles">${repeat(cameras, (each) => each.name, camera)}</ul>` : empty("cameras", t("cameras.none"))}
  </div>`, place);
}

refresh();
setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
