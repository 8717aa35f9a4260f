// What is wrong and what to do, in the reader's words: by the code that the device gives.
import { hasText, t } from "./core.js";

/** A trouble's words: what is wrong, and what to do about it. */
export function trouble(each) {
  const key = `trouble.${each.code}`;
  if (!hasText(key)) return { what: each.what, to_do: each.to_do };
  return { what: t(key, each.values), to_do: t(`${key}_to_do`, each.values) };
}
