// What the pipeline does with each category by itself, why, and what comes next.
import { empty, html, look, repeat, t } from "./core.js";
import { content, keepUp } from "./portal.js";
import { progress } from "./progress.js";

const pipeline = content("pipeline", () => look("/api/v1/pipeline"), (all) => html`<p class="lead">${t("pipeline.lead")}</p>
  ${all.length ? html`<div class="tiles wide">${repeat(all, (each) => each.category, (each) => html`<div class="card">${progress(each)}</div>`)}</div>` : html`<section class="card">${empty("pipeline", t("pipeline.none"), t("pipeline.none_text"))}</section>`}`);
keepUp(pipeline.refresh, 2000);
