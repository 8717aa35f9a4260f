// Signing in, and going where one was going.
import { ask, page, t } from "./core.js";

const form = document.getElementById("sign-in");
const said = document.getElementById("said");

function say(text) {
  said.textContent = text;
  said.hidden = !text;
}

/** Only a place of this server; "//elsewhere" would be another one. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(wanted) ? wanted : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  say("");
  try {
    const { name, password } = Object.fromEntries(new FormData(form));
    await ask("POST", "/api/v1/session", { name, password });
    location.assign(next());
  } catch (error) {
    say(error.status === 401 ? t("sign_in.wrong") : error.message);
    button.disabled = false;
    form.password.select();
  }
});

if (page.from_elsewhere) location.replace(location.href);
else if (page.because === "link") say(t("sign_in.link_over"));
