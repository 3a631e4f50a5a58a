import type { CallerName } from './callers.ts';
import { type Operation, partsOf, requestOf } from './operation.ts';
import { maker, type Rows, type Sample } from './row.ts';
import type { World } from './world.ts';

const others = ['OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'QUERY', 'PATCH', 'PUT', 'POST', 'DELETE'];
const overrides = ['x-http-method-override', 'x-http-method', 'x-method-override'];

interface Sampled {
  readonly path: string;
  readonly operations: readonly Operation[];
  readonly sample: Sample;
}

/** Each path once, with a sample of one of its operations. */
async function samplesOf(
  world: World,
  operations: readonly Operation[],
  rows: Rows,
): Promise<Sampled[]> {
  const sampled: Sampled[] = [];
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const own = operations.filter((operation) => operation.path === path);
    const [first] = own.filter(({ operationId }) => Object.hasOwn(rows, operationId));
    if (!first) continue;
    const sample = (await rows[first.operationId]!.sample?.(world.own, maker(world))) ?? {};
    sampled.push({ path, operations: own, sample: { params: sample.params ?? {} } });
  }
  return sampled;
}

/**
 * A method that the path has not is 405 with `Allow`, or refused before that. A GET stays a GET, whatever
 * its headers and its query say of another method.
 */
export async function checkMethods(
  world: World,
  operations: readonly Operation[],
  rows: Rows,
): Promise<string[]> {
  const complaints: string[] = [];
  for (const { path, operations: own, sample } of await samplesOf(world, operations, rows)) {
    const methods = own.map(({ method }) => method);
    const target = async (method: string, caller: CallerName) => {
      const operation = { operationId: '', path, method, access: '' };
      const parts = partsOf(operation, world.own, sample);
      return requestOf(operation, parts, {}, await world.headersOf(caller));
    };
    for (const caller of ['none', 'foreign-admin', 'owner'] as const) {
      for (const method of others.filter((one) => !methods.includes(one))) {
        const { status, headers } = await world.asker.ask(await target(method, caller));
        const good = status === 405 ? headers.allow !== undefined : status === 401;
        if (!good) complaints.push(`${caller}: ${method} ${path}: ${status}, not 405 with Allow`);
      }
      if (own.some(({ operationId }) => rows[operationId]?.stream)) continue;
      const plain = await world.asker.ask(await target('GET', caller));
      for (const header of overrides) {
        for (const method of ['DELETE', 'PUT', 'PATCH', 'POST']) {
          const asked = await target('GET', caller);
          const headers = { ...asked.headers, [header]: method };
          const { status } = await world.asker.ask({ ...asked, headers });
          if (status !== plain.status) {
            complaints.push(`${caller}: GET ${path} with ${header}: ${method}: ${status}`);
          }
        }
      }
    }
  }
  return complaints;
}

/** A route that asks who calls asks so in every spelling of its path. */
export async function checkPaths(
  world: World,
  operations: readonly Operation[],
  rows: Rows,
): Promise<string[]> {
  const complaints: string[] = [];
  for (const { operations: own, sample } of await samplesOf(world, operations, rows)) {
    const operation = own.find(({ method }) => method === 'GET') ?? own[0]!;
    const row = rows[operation.operationId];
    if (!row || row.at === 'public' || row.publicParts) continue;
    const parts = partsOf(operation, world.own, sample);
    const { target } = requestOf(operation, parts, {}, {});
    const below = target.slice('/api/v1'.length);
    for (const spelling of [
      ...[`${target}/`, `/${target}`, `/api//v1${below}`, `/api/v1/${below}`, `/API/V1${below}`],
      ...[`/api/v1${below.toUpperCase()}`, `/api/v1/./${below}`, `/api/v1/x/..${below}`],
      ...[`/api/v1/docs/..${below}`, `${target};x=1`, `${target}.json`, `${target}%00`],
      ...[`${target}%2f`, `/healthz/..${target}`, `/v2/..${target}`, `${target}%20`],
      target.replaceAll(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    ]) {
      const { status } = await world.asker.ask({ method: operation.method, target: spelling });
      if (status < 400 || status >= 500) complaints.push(`none: ${spelling}: ${status}`);
    }
  }
  return complaints;
}
