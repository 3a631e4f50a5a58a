import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where an engine listens. */
export interface EngineAddress {
  /** For people: `unix:///var/run/docker.sock`. */
  readonly name: string;
  readonly socketPath: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly tls:
    | {
        readonly ca: Buffer;
        readonly cert: Buffer;
        readonly key: Buffer;
        readonly servername: string;
      }
    | undefined;
  /** Whether its containers run on this machine: their addresses are reached, their files can be mounted. */
  readonly local: boolean;
}

const usual = 'unix:///var/run/docker.sock';

/** The first of the setting, DOCKER_HOST and the usual socket. A text is why that one cannot be used. */
export function findEngine(
  setting: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): EngineAddress | string {
  const name = setting || env.DOCKER_HOST || usual;
  const source = setting ? 'GANTRY_DOCKER_HOST' : 'DOCKER_HOST';
  if (name.startsWith('unix://')) {
    const socketPath = name.slice('unix://'.length);
    if (!socketPath.startsWith('/')) return `${source} names no absolute path: ${name}.`;
    return { name, socketPath, host: undefined, port: undefined, tls: undefined, local: true };
  }
  const url = URL.canParse(name) ? new URL(name) : undefined;
  if (!url || !['tcp:', 'http:', 'https:'].includes(url.protocol) || !url.hostname) {
    return `${source} must be unix:///path/of/docker.sock or tcp://host:port, and is ${name}.`;
  }
  const withTls = url.protocol === 'https:' || !!env.DOCKER_TLS_VERIFY;
  let tls: EngineAddress['tls'];
  if (withTls) {
    if (!env.DOCKER_CERT_PATH) {
      return `${name} is reached by TLS: set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem.`;
    }
    const folder = env.DOCKER_CERT_PATH;
    try {
      const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((file) =>
        readFileSync(join(folder, file)),
      ) as [Buffer, Buffer, Buffer];
      tls = { ca, cert, key, servername: url.hostname };
    } catch (error) {
      return `The certificates of DOCKER_CERT_PATH cannot be read: ${(error as Error).message}.`;
    }
  }
  const port = Number(url.port) || (withTls ? 2376 : 2375);
  return { name, socketPath: undefined, host: url.hostname, port, tls, local: false };
}
