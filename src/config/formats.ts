import { isIP, isIPv4 } from 'node:net';
import { parseMachineType } from './machine-type-setting.ts';
import { parsePrice } from './price-setting.ts';

/** What a text setting may be, by the name of the schema's `format`. Each is pure. */
export const formats: Readonly<Record<string, (text: string) => boolean>> = {
  origin: (text) => {
    const url = httpUrl(text);
    return url !== undefined && url.pathname === '/' && url.search === '';
  },
  'http-url': (text) => {
    const url = httpUrl(text);
    return url !== undefined && url.search === '';
  },
  'postgres-url': (text) => isPostgresUrl(text),
  storage: (text) => parseStorage(text) !== undefined,
  'address-range': (text) => isAddressRange(text),
  outbound: (text) => isAddressRange(text) || HOST_AND_PORT.test(text),
  address4: (text) => isIPv4(text),
  endpoint4: (text) => {
    const [address = '', port = '', ...rest] = text.split(':');
    return isIPv4(address) && /^[1-9]\d{0,4}$/.test(port) && Number(port) < 65_536 && !rest.length;
  },
  domain: (text) => DOMAIN.test(text),
  'trusted-domain': (text) => text === '*' || DOMAIN.test(text),
  'dns-server': (text) => {
    const [, six, four, port = '53'] = /^(?:\[(.+)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? [];
    return isIP(six ?? four ?? text) > 0 && Number(port) > 0 && Number(port) < 65_536;
  },
  // A name without dot and port is a folder of Docker Hub to an engine.
  'registry-address': (text) =>
    (HOST_AND_PORT.test(text) && /[.:]|^localhost$/.test(text)) ||
    /^\[[0-9a-f:]+\](?::\d{1,5})?$/.test(text),
  range4: (text) => isRange4(text),
  'machine-type': (text) => parseMachineType(text) !== undefined,
  price: (text) => parsePrice(text) !== undefined,
  'sign-in': (text) =>
    text === '*' ||
    /^sub:\S{1,255}$/.test(text) ||
    /^(?:[^\s@,:]{1,64}@)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text),
  workers: (text) => text === 'auto' || /^(?:[1-9]|[1-5]\d|6[0-4])$/.test(text),
  'key-32': (text) => parseKey(text) !== undefined,
};

const HOST_AND_PORT = /^(?=.{1,253}(?::|$))[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?$/;

/** In lower case, as hosts are compared, and no address: labels are put before it. */
const DOMAIN =
  /^(?=.{1,189}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

function isPostgresUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    /^postgres(?:ql)?:$/.test(url.protocol) &&
    url.host !== '' &&
    url.pathname.length > 1
  );
}

function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

/** With no bit set beyond its length. */
function isRange4(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  if (!isIPv4(address) || !/^\d{1,2}$/.test(bits) || Number(bits) > 32 || rest.length > 0)
    return false;
  const base = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return base % 2 ** (32 - Number(bits)) === 0;
}

function httpUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.username === '' && url.password === '' && url.hash === '' ? url : undefined;
}

/** The choice that `filesystem` or `s3://bucket/prefix` names; undefined where it is neither. */
export function parseStorage(
  text: string,
): { type: 'filesystem' } | { type: 's3'; bucket: string; prefix: string } | undefined {
  if (text === 'filesystem') return { type: 'filesystem' };
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9!_.*'()/-]*))?$/.exec(
    text,
  );
  if (!match?.[1]) return undefined;
  const prefix = (match[2] ?? '').replace(/^\/+|\/+$/g, '');
  return { type: 's3', bucket: match[1], prefix };
}

/** 32 bytes given as hex, base64 or base64url, in lower-case hex; undefined where it is not 32 bytes. */
export function parseKey(text: string): string | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined;
  return Buffer.from(text, 'base64').toString('hex');
}
