import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where an engine listens. */
export interface EngineAddress {
  /** For people: `unix:///var/run/docker.sock`. */
  readonly name: string;
  readonly socketPath: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly tls: EngineTls | undefined;
  /**
   * Whether its containers run on this machine: their addresses are reached, their files can be mounted. One by
   * TCP is taken for another machine's, also on 127.0.0.1, which may be the near end of a tunnel.
   */
  readonly local: boolean;
}

/** PEM. The engine's certificate is always verified. */
export interface EngineTls {
  readonly ca: Buffer;
  /** Both or none: an engine may ask for none. */
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
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
  // The client's DOCKER_TLS without verification is none here: what would be sent has secrets in it.
  const withTls = url.protocol === 'https:' || !!env.DOCKER_TLS_VERIFY || !!env.DOCKER_TLS;
  const tls = withTls ? readTls(name, env) : undefined;
  if (typeof tls === 'string') return tls;
  // A URL leaves out the port that its scheme has anyway, which no engine has.
  const named = url.port || /:(\d+)\/?$/.exec(name)?.[1];
  const port = Number(named) || (withTls ? 2376 : 2375);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { name, socketPath: undefined, host, port, tls, local: false };
}

/** Of the folder that Docker's client takes: DOCKER_CERT_PATH, else that of its settings. */
function readTls(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): EngineTls | string {
  const folder =
    env.DOCKER_CERT_PATH || env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker');
  const read = (file: string) => readFileSync(join(folder, file));
  try {
    const ca = read('ca.pem');
    const [cert, key] = ['cert.pem', 'key.pem'].map((file) => {
      try {
        return read(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    });
    if (!cert !== !key)
      return `${folder} has one of cert.pem and key.pem: both are needed, or none.`;
    return { ca, cert, key };
  } catch (error) {
    return `${name} is reached by TLS, and its certificates cannot be read: set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem. ${(error as Error).message}.`;
  }
}

/** Whether nothing on the way there leaves this machine, as far as its name tells. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return (isIP(bare) === 4 && bare.startsWith('127.')) || bare === '::1';
}
