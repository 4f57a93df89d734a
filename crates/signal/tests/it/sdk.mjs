// The SDK's rules of state, apart from any browser. Run by sdk.rs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const source = readFileSync(new URL("../../web/sdk/state.js", import.meta.url));
// By its content: what makes a module of a .js file differs between versions of Node.
const { AUDIENCE_MAX, apply, remember } = await import(
  `data:text/javascript;base64,${source.toString("base64")}`
);

const open = { selfMuted: false, serverMuted: false, locked: false };
const ada = {
  id: "ada",
  role: "speaker",
  stage: "onStage",
  audio: { ...open },
  video: { ...open },
  permits: { microphone: true, camera: true, screen: true },
};
const state = { revision: 0, stage: [ada], hands: [] };
let number = 0;

/** Who is on stage after a change of mutes. */
function muted(muteKind, mutes) {
  const event = { kind: "muteChanged", participant: "ada", muteKind, ...open, ...mutes };
  number += 1;
  assert.ok(apply(state, { number, event }, () => undefined));
  return state.stage[0];
}

// Permits follow mutes.
const silent = { microphone: false, camera: true, screen: true };
for (const mute of ["selfMuted", "serverMuted", "locked"]) {
  assert.deepEqual(muted("audio", { [mute]: true }).permits, silent, mute);
}
const unseen = { microphone: false, camera: false, screen: false };
assert.deepEqual(muted("video", { selfMuted: true }).permits, unseen);
const heard = { microphone: true, camera: false, screen: false };
assert.deepEqual(muted("audio", {}).permits, heard);

// The audience is bounded, its oldest forgotten first, and never ourselves.
const audience = new Map();
remember(audience, { id: "self" }, "self");
for (let n = 0; n < AUDIENCE_MAX; n += 1) remember(audience, { id: `p${n}` }, "self");
assert.equal(audience.size, AUDIENCE_MAX);
assert.ok(audience.has("self") && !audience.has("p0") && audience.has("p1"));
remember(audience, { id: "p1" }, "self");
remember(audience, { id: "late" }, "self");
assert.ok(audience.has("p1") && !audience.has("p2") && audience.has("late"));
