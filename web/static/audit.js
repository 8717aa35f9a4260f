// Who did what, from where, and whether it was allowed. For admins.
import { complain, dateTime, empty, failed, html, look, nothing, render, repeat, t } from "./core.js";

const place = document.getElementById("audit");
let entries = null;
let next = null;
let error = null;

async function refresh(before = null) {
  try {
    const answer = await look(`/api/v1/audit${before ? `?before=${before}` : ""}`);
    entries = before ? [...entries, ...answer.entries] : answer.entries;
    next = answer.next;
    error = null;
  } catch (refused) {
    error = refused;
    if (entries) complain(refused);
  }
  show();
}

const entry = (each) => html`<tr><td class="small nowrap"><time>${dateTime(each.at)}</time></td><td class="strong">${each.who || "–"}</td><td>${each.action}${each.about ? html` <span class="soft break">${each.about}</span>` : nothing}</td><td class="small">${each.address}</td><td>${each.outcome}</td></tr>`;

function show() {
  if (error && !entries) return render(failed(error, () => refresh()), place);
  render(html`<div class="stack"><section class="card flush">
    ${entries.length ? html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("audit.title")}><table><thead><tr>${["at", "who", "what", "from", "outcome"].map((each) => html`<th scope="col">${t(`audit.${each}`)}</th>`)}</tr></thead><tbody>${repeat(entries, (each) => each.sequence, entry)}</tbody></table></div>` : empty("audit", t("audit.none"))}</section>
    ${next ? html`<button class="button" type="button" @click=${() => refresh(next)}>${t("audit.earlier")}</button>` : nothing}</div>`, place);
}

refresh();
