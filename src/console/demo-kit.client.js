/** What the parts of the page share: calls to the API, elements made of text, and numbers as people write them. */

const KEY = 'Bearer ot_demo';

/** A call to the API. @returns status and parsed body; a failed connection has status 0. */
export function call(method, path, body) {
  return body === undefined
    ? send(method, path)
    : send(method, path, JSON.stringify(body), 'application/json');
}

/** As `call`, with a body as it is, such as a file. */
export async function send(method, path, body, type) {
  try {
    const response = await fetch(path, {
      method,
      headers: { authorization: KEY, ...(body !== undefined && { 'content-type': type }) },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    return { status: response.status, ok: response.ok, body: text === '' ? null : JSON.parse(text) };
  } catch {
    return {
      status: 0,
      ok: false,
      body: { detail: 'The server does not answer. Is npm start still running?' },
    };
  }
}

/** An element. Children that are strings become text, never markup. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A picture of the API, which wants the key, as an address that an image takes. */
export async function pictureUrl(path) {
  const response = await fetch(path, { headers: { authorization: KEY } });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return `data:image/svg+xml,${encodeURIComponent(await response.text())}`;
}

export const byId = (id) => document.getElementById(id);
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `+12125550101` as `+1 212 555 0101`; whatever else stays as it is. */
export function spaced(number) {
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return parts ? `+1 ${parts[1]} ${parts[2]} ${parts[3]}` : number;
}

export function compact(number) {
  return number.replace(/[\s().-]/g, '');
}

export const isNumber = (text) => /^\+\d{7,15}$/.test(compact(text));

const used = new Set();

/** A fictional number (555-0100 to 555-0199 belong to nobody) that nobody has used on this page yet. */
export function freshNumber() {
  const areas = ['201', '206', '212', '303', '312', '415', '503', '512', '602', '617', '702', '718', '808'];
  const pick = (count) => crypto.getRandomValues(new Uint32Array(1))[0] % count;
  const number = `+1 ${areas[pick(areas.length)]} 555 01${String(pick(100)).padStart(2, '0')}`;
  if (used.has(number)) return freshNumber();
  used.add(number);
  return number;
}

export function freshId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return `${prefix}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
