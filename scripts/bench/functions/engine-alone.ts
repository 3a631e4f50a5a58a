/** The engine by itself, by its API: what a start, a thaw and a pull cost without Gantry. */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { findCgroup, isCgroupFrozen } from '../../../src/runtimes/docker/cgroup.ts';

export interface EngineAlone {
  /** A container of the image, not running; its id. */
  create(image: string): Promise<string>;
  start(id: string): Promise<void>;
  /** Milliseconds from now until `GET /` has its first byte. */
  connect(id: string): Promise<{ readonly ms: number; readonly address: string }>;
  pause(id: string): Promise<void>;
  unpause(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** With the credentials of `team:token`; rejects where layers of it were there. */
  pull(reference: string, digest: string, credentials: string): Promise<void>;
  removeImage(reference: string): Promise<void>;
  images(): Promise<readonly { readonly id: string; readonly digests: readonly string[] }[]>;
  containers(): Promise<readonly EngineContainer[]>;
  close(): Promise<void>;
}

export interface EngineContainer {
  readonly id: string;
  /** As the engine calls it, or `frozen`. */
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** As much as a function of the smallest usual size has. */
const limits = { Memory: 2 * 2 ** 30, NanoCpus: 1e9, PidsLimit: 1024 };
const networkName = 'bench-alone';

export async function openEngine(socketPath: string): Promise<EngineAlone> {
  const agent = new Agent({ keepAlive: true });

  function call<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ socketPath, agent, method, path },
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
            ...headers,
          },
        },
        (response) => {
          let answer = '';
          response.setEncoding('utf8').on('data', (piece: string) => {
            answer += piece;
          });
          response.on('error', reject);
          response.on('end', () => {
            const status = response.statusCode ?? 0;
            if (status >= 400) return reject(new Error(`${method} ${path}: ${status} ${answer}`));
            const json = response.headers['content-type']?.includes('json') && answer !== '';
            resolve(
              (json && !path.startsWith('/images/create') ? JSON.parse(answer) : answer) as T,
            );
          });
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }

  /** The engine calls those running that were frozen by their cgroup. */
  async function isFrozen(id: string): Promise<boolean> {
    const { State } = await call<{ State: { Pid: number } }>('GET', `/containers/${id}/json`);
    const cgroup = State.Pid > 0 ? await findCgroup(State.Pid, id) : undefined;
    return cgroup !== undefined && isCgroupFrozen(cgroup);
  }

  await call('POST', '/networks/create', { Name: networkName });
  return {
    async create(Image) {
      const HostConfig = { NetworkMode: networkName, ...limits };
      return (await call<{ Id: string }>('POST', '/containers/create', { Image, HostConfig })).Id;
    },
    start: (id) => call('POST', `/containers/${id}/start`),
    async connect(id) {
      const begun = performance.now();
      const inspected = await call<{
        NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
      }>('GET', `/containers/${id}/json`);
      const address = Object.values(inspected.NetworkSettings.Networks)[0]!.IPAddress;
      await firstByte(address);
      return { ms: performance.now() - begun, address };
    },
    pause: (id) => call('POST', `/containers/${id}/pause`),
    unpause: (id) => call('POST', `/containers/${id}/unpause`),
    async remove(id) {
      await call('DELETE', `/containers/${id}?force=1&v=1`).catch((error: Error) => {
        // Gantry was quicker.
        if (!/ (404|409) /.test(error.message)) throw error;
      });
    },
    async pull(reference, digest, credentials) {
      const [username, password] = credentials.split(':');
      const text = Buffer.from(JSON.stringify({ username, password })).toString('base64url');
      // The engine takes none without padding, and then pulls as nobody.
      const auth = text.padEnd(Math.ceil(text.length / 4) * 4, '=');
      const query = new URLSearchParams({ fromImage: reference, tag: digest });
      const said = await call<string>('POST', `/images/create?${query}`, undefined, {
        'x-registry-auth': auth,
      });
      if (said.includes('"error"')) throw new Error(`pull of ${reference}: ${said.slice(-300)}`);
      if (!said.includes('Pull complete')) throw new Error(`layers of ${reference} were there`);
    },
    removeImage: (reference) => call('DELETE', `/images/${encodeURIComponent(reference)}?force=1`),
    async images() {
      const found = await call<{ Id: string; RepoDigests: string[] | null }[]>(
        'GET',
        '/images/json?all=1',
      );
      return found.map(({ Id, RepoDigests }) => ({ id: Id, digests: RepoDigests ?? [] }));
    },
    async containers() {
      const found = await call<{ Id: string; State: string; Labels: Record<string, string> }[]>(
        'GET',
        '/containers/json?all=1',
      );
      return Promise.all(
        found.map(async ({ Id, State, Labels }) => {
          const state = State === 'running' && (await isFrozen(Id)) ? 'frozen' : State;
          return { id: Id, state, labels: Labels };
        }),
      );
    },
    async close() {
      await call('DELETE', `/networks/${networkName}`);
      agent.destroy();
    },
  };
}

/** Asks again, each time 1 ms later, until something listens. */
async function firstByte(host: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const fine = await new Promise<boolean>((resolve) => {
      const sent = request({ host, port: 80, agent: false, timeout: 5_000 }, (response) => {
        response.once('data', () => {
          response.destroy();
          resolve(response.statusCode === 200);
        });
      });
      sent.on('error', () => resolve(false));
      sent.on('timeout', () => sent.destroy());
      sent.end();
    });
    if (fine) return;
    if (performance.now() > deadline) throw new Error(`nothing answers at ${host}:80`);
    await delay(1);
  }
}
