// What the pipeline does with a category, why, and what comes next.
import { hasText, html, icon, nothing, t, time } from "./core.js";
import { figure, spoken } from "./portal.js";

const KINDS = { stopped: ["bad", "alert"], failed: ["bad", "alert"], nothing: ["good", "check"], waiting: ["", "wait"] };
export const doing = (word) => (hasText(`progress.doing_${word}`) ? t(`progress.doing_${word}`) : spoken(word));

export const progress = (each, { brief = false } = {}) => {
  const [kind, sign] = KINDS[each.doing] ?? ["accent", "pipeline"];
  return html`<section class="stack doing" aria-label=${each.category}>
    <header class="row apart wrap"><h3>${each.category}</h3><span class="chip ${kind}">${icon(sign)}${doing(each.doing)}</span></header>
    ${each.steps ? html`<div class="stations" role="img" aria-label=${t("progress.step", { step: each.step + 1, steps: each.steps })}>${Array.from({ length: each.steps }, (_, index) => html`<i class=${index < each.step ? "done" : index === each.step ? "now" : ""}></i>`)}</div>` : nothing}
    <p class="why" lang="en">${each.why}</p>
    ${each.next ? html`<p class="soft small"><span class="strong">${t("progress.next")}</span> <span lang="en">${each.next}</span></p>` : nothing}
    ${each.since && !brief ? html`<p class="soft small">${t("progress.since", { time: time(each.since) })}</p>` : nothing}
    ${!brief && Object.keys(each.figures).length ? html`<dl class="facts small">${Object.entries(each.figures).map(([name, value]) => html`<dt>${spoken(name)}</dt><dd class="number">${figure(name, value)}</dd>`)}</dl>` : nothing}
  </section>`;
};
