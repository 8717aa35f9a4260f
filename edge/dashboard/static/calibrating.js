// The calibration wizard: which steps there are, which one is on the stage, and how it is told what
// has changed. What a step does is in calibrating-shop.js and calibrating-camera.js.
import { ask, complain, failed, html, icon, look, nothing, number, render, t } from "./core.js";
import { api } from "./calibrating-parts.js";
import { cameraStep } from "./calibrating-camera.js";
import { shopStep } from "./calibrating-shop.js";

const root = document.getElementById("calibrating");
const base = "/calibration";

/** What all steps share. */
export const wizard = {
  shop: null,
  step: "",
  stage: null,
  /** Change something; the answer is the shop's new state where it is one. */
  async change(method, path, body) {
    try {
      const answer = await ask(method, path.startsWith("/api") ? path : api(path), body);
      if (answer?.steps) this.shop = answer;
      return answer;
    } catch (error) {
      complain(error);
      throw error;
    } finally {
      this.draw();
    }
  },
  async refresh() {
    this.shop = await look(api());
    this.draw();
  },
  go(step, push = true) {
    if (this.stage?.leave) this.stage.leave();
    this.step = step;
    const [kind, name, what] = step.split("/");
    this.stage = kind === "camera" ? cameraStep(this, name, what) : shopStep(this, kind);
    if (push) history.pushState(null, "", `${base}/${step}`);
    this.draw();
    document.getElementById("main").focus({ preventScroll: true });
  },
  goOn() {
    const names = this.shop.steps.map((each) => each.name);
    const open = this.shop.steps.filter((each) => each.progress !== "done" && each.name !== this.step);
    const after = open.find((each) => names.indexOf(each.name) > names.indexOf(this.step));
    this.go((after ?? open[0])?.name ?? "save");
  },
  draw() {
    if (!this.shop) return;
    const done = this.shop.steps.filter((each) => each.progress === "done").length;
    document.getElementById("progress").textContent = t("calibrating.progress", { done: number(done), all: number(this.shop.steps.length) });
    render(html`<nav aria-label=${t("calibrating.steps")}><ol class="cal-steps">${this.shop.steps.map((each, place) => stepButton(each, this.shop.steps[place - 1]))}</ol></nav>
      <section class="cal-stage" data-stage=${this.step}>${this.stage ? this.stage.draw() : nothing}</section>`, root);
  },
};

const signs = { done: "check", bad: "cross", waits: "wait", todo: "next", begun: "next" };

function stepButton(step, before) {
  const [kind, name, what] = step.name.split("/");
  const title = kind === "camera" ? t(`calibrating.step_${what}`) : t(`calibrating.step_${kind}`);
  const first = kind === "camera" && before?.name.split("/")[1] !== name;
  const mark = step.light === "amber" && step.progress === "done" ? "amber" : step.progress;
  const state = t(`calibrating.is_${mark}`);
  const after = kind !== "camera" && before?.name.startsWith("camera/");
  return html`${first ? html`<li class="group">${name}</li>` : after ? html`<li class="group">${t("calibrating.whole")}</li>` : nothing}<li><button type="button" class="cal-step" data-step=${step.name}
    aria-current=${step.name === wizard.step ? "step" : nothing} aria-label="${kind === "camera" ? `${name}: ` : ""}${title}, ${state}" @click=${() => wizard.go(step.name)}>
    <span class="mark ${mark}" aria-hidden="true">${icon(mark === "amber" ? "alert" : signs[step.progress])}</span>${title}</button></li>`;
}

function fromAddress() {
  const step = decodeURIComponent(location.pathname.slice(base.length + 1));
  return wizard.shop.steps.some((each) => each.name === step) ? step : "";
}

async function begin() {
  try {
    wizard.shop = await look(api());
    wizard.go(fromAddress() || wizard.shop.next, !fromAddress());
  } catch (error) {
    render(failed(error, begin), root);
  }
}
window.addEventListener("popstate", () => wizard.go(fromAddress() || wizard.shop.next, false));
begin();
