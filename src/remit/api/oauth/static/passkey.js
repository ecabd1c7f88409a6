// SPDX-License-Identifier: Apache-2.0
// The one script of remit's pages: it carries a passkey's challenge and answer between browser and server.
"use strict";

const told = document.getElementById("told");

function say(text) {
  told.textContent = text;
  told.hidden = false;
}

async function send(path, csrf, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Remit-Form": csrf },
    body: JSON.stringify(body),
  });
  const value = await answer.json();
  if (!answer.ok) {
    const text = value.detail + (value.remediation ? "; " + value.remediation : "");
    throw new Error(text.charAt(0).toUpperCase() + text.slice(1));
  }
  return value;
}

async function withButton(button, ceremony) {
  button.disabled = true;
  told.hidden = true;
  try {
    await ceremony();
  } catch (fault) {
    const dismissed = fault.name === "NotAllowedError" || fault.name === "AbortError";
    say(dismissed ? "No passkey was used." : fault.message);
    button.disabled = false;
  }
}

const usable =
  window.PublicKeyCredential &&
  PublicKeyCredential.parseRequestOptionsFromJSON &&
  PublicKeyCredential.parseCreationOptionsFromJSON;

const signIn = document.getElementById("passkey");
if (signIn && usable) {
  signIn.hidden = false;
  signIn.addEventListener("click", () =>
    withButton(signIn, async () => {
      const { csrf, then } = signIn.dataset;
      const options = await send("/oauth/passkey/challenge", csrf, { for: "sign-in" });
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const credential = await navigator.credentials.get({ publicKey });
      const answer = await send("/oauth/passkey/sign-in", csrf, { credential: credential.toJSON(), then });
      location.assign(answer.then);
    }),
  );
}

const add = document.getElementById("add-passkey");
if (add && usable) {
  add.hidden = false;
  add.addEventListener("click", () =>
    withButton(add, async () => {
      const csrf = add.dataset.csrf;
      const name = document.getElementById("passkey-name").value;
      const options = await send("/oauth/passkey/challenge", csrf, { for: "register" });
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      const credential = await navigator.credentials.create({ publicKey });
      const answer = await send("/oauth/passkey/register", csrf, { credential: credential.toJSON(), name });
      location.assign(answer.then);
    }),
  );
}
