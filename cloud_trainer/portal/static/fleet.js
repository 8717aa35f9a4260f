// The fleet as it is heard: health, versions, releases, and what devices decide.
import { bytes, empty, hasText, html, icon, look, n, nothing, number, repeat, span, t } from "./core.js";
import { content, keepUp, parts, shares } from "./portal.js";

let sought = "";
let only = "";
const HEALTH = ["failing", "silent", "busy", "well"];
const KINDS = { well: ["good", "check"], busy: ["accent", "wait"], failing: ["bad", "alert"], silent: ["", "wait"] };

const fleet = content("fleet", () => look("/api/v1/fleet"), draw);

const state = (name) => (hasText(`fleet.state_${name}`) ? t(`fleet.state_${name}`) : name.replaceAll("_", " "));

const on = (each) => html`<div class="on-device"><p class="row apart wrap"><span class="strong">${each.category}</span><span class="soft small number">${each.release === null ? t("fleet.as_shipped") : t("portal.release", { release: each.release })}</span></p>
  <p class="row apart wrap small"><span>${state(each.state)}${each.target !== null && each.target !== each.release ? html` <span class="soft number">→ ${t("portal.release", { release: each.target })}</span>` : nothing}</span>${each.percent > 0 && each.percent < 100 ? html`<span class="number">${number(each.percent)} %</span>` : nothing}</p>
  ${each.percent > 0 && each.percent < 100 ? html`<progress class="bar" max="100" value=${each.percent} aria-label=${state(each.state)}></progress>` : nothing}
  ${shares(each.decisions)}
  ${each.reason ? html`<p class="soft small break" lang="en">${each.reason}</p>` : nothing}
  ${each.refused.length ? html`<p class="small">${t("fleet.refused", { releases: each.refused.join(", ") })}</p>` : nothing}</div>`;

const device = (each, now) => {
  const [kind, sign] = KINDS[each.health];
  return html`<section class="card device" aria-label=${each.device}><header class="row apart wrap"><h2 class="row"><i class="signal ${each.health}"></i>${each.device}</h2><span class="chip ${kind}">${icon(sign)}${t(`fleet.is_${each.health}`)}</span></header>
    <p class="soft small">${each.is_online ? t("fleet.heard", { span: span(Math.max(0, now - each.heard_at)) }) : t("fleet.silent_since", { span: span(Math.max(0, now - each.heard_at)) })} · ${each.version} · ${t("fleet.free", { bytes: bytes(each.disk_free_bytes) })}</p>
    ${each.agents.map(on)}</section>`;
};

function draw(all) {
  if (!all.length) return html`<section class="card">${empty("fleet", t("fleet.none"), t("fleet.none_text"))}</section>`;
  const now = Date.now() / 1000;
  const counts = Object.fromEntries(HEALTH.map((name) => [name, all.filter((each) => each.health === name).length]));
  const decided = all.flatMap((each) => each.agents).reduce((sum, { decisions }) => ({ accepts: sum.accepts + decisions.accepts, reviews: sum.reviews + decisions.reviews, rejects: sum.rejects + decisions.rejects }), { accepts: 0, reviews: 0, rejects: 0 });
  const shown = all.filter((each) => (!only || each.health === only) && `${each.device} ${each.agents.map((one) => one.category).join(" ")}`.includes(sought.trim()));
  shown.sort((one, other) => HEALTH.indexOf(one.health) - HEALTH.indexOf(other.health) || one.device.localeCompare(other.device));
  return html`<div class="stack"><section class="card stack"><div class="two"><div><p class="small strong">${n("fleet.devices", all.length)}</p>${parts([["succeeded", counts.well], ["under_way", counts.busy], ["failed", counts.failing], ["unknown", counts.silent]])}
      <p class="row wrap small">${HEALTH.filter((name) => counts[name]).map((name) => html`<span class="row"><i class="signal ${name}"></i>${t(`fleet.is_${name}`)} <span class="number strong">${counts[name]}</span></span>`)}</p></div>
      <div><p class="small strong">${t("fleet.decisions")}</p>${shares(decided)}</div></div></section>
    ${all.length > 6 ? html`<div class="filters"><input class="search" type="search" placeholder=${t("fleet.search")} aria-label=${t("fleet.search")} .value=${sought} @input=${(event) => { sought = event.target.value; fleet.show(); }}>
      <div class="choice" role="group" aria-label=${t("fleet.health")}>${["", ...HEALTH].map((name) => html`<button type="button" aria-pressed=${only === name ? "true" : "false"} @click=${() => { only = name; fleet.show(); }}>${name ? t(`fleet.is_${name}`) : t("fleet.all")}</button>`)}</div></div>` : nothing}
    <div class="tiles">${repeat(shown.slice(0, 200), (each) => each.device, (each) => device(each, now))}</div>
    ${shown.length > 200 ? html`<p class="soft">${t("fleet.more", { n: shown.length - 200 })}</p>` : nothing}</div>`;
}
keepUp(fleet.refresh, 2000);
