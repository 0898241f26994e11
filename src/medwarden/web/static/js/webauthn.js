// Passkeys (W3C Web Authentication Level 2): asks the browser for a credential and puts it into the form.

const fromBase64 = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0)).buffer;
const toBase64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const descriptors = (list) => (list ?? []).map((one) => ({ ...one, id: fromBase64(one.id) }));

function creation(options) {
  const key = options.publicKey;
  return { publicKey: { ...key, challenge: fromBase64(key.challenge), user: { ...key.user, id: fromBase64(key.user.id) }, excludeCredentials: descriptors(key.excludeCredentials) } };
}

function request(options) {
  const key = options.publicKey;
  return { publicKey: { ...key, challenge: fromBase64(key.challenge), allowCredentials: descriptors(key.allowCredentials) } };
}

function asJson(credential) {
  const response = { clientDataJSON: toBase64(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toBase64(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: toBase64(credential.rawId), type: credential.type, response,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

const optionsIn = (id) => JSON.parse(document.getElementById(id).textContent);

async function act(button) {
  const form = document.getElementById(button.dataset.form);
  const field = form.elements.namedItem("credential");
  const problem = document.getElementById("webauthn-problem");
  problem.hidden = true;
  try {
    if (button.dataset.webauthn === "create") {
      const options = creation(optionsIn("webauthn-data").creation_options);
      const passwordless = form.elements.namedItem("passwordless")?.checked ?? false;
      options.publicKey.authenticatorSelection = { ...options.publicKey.authenticatorSelection, residentKey: passwordless ? "required" : "discouraged", requireResidentKey: passwordless, ...(passwordless ? { userVerification: "required" } : {}) };
      field.value = asJson(await navigator.credentials.create(options));
    } else {
      let options;
      if (button.dataset.webauthn === "login") {
        const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        options = (await answer.json()).request_options;
      } else {
        options = optionsIn("webauthn-data").request_options;
      }
      field.value = asJson(await navigator.credentials.get(request(options)));
    }
    form.submit();
  } catch (error) {
    problem.textContent = error.name === "NotAllowedError" ? "The passkey was not used: the request was cancelled or timed out." : "This browser could not use a passkey here.";
    problem.hidden = false;
  }
}

for (const button of document.querySelectorAll("[data-webauthn]")) {
  if (!window.PublicKeyCredential) button.disabled = true;
  button.addEventListener("click", () => act(button));
}
