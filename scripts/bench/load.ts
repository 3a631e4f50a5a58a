import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { LoadAnswer } from './clients/raw-load.ts';
import { runClient, runProgram } from './clients/run-client.ts';

export interface Load {
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly requests: number;
}

export function findInPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** What sends `method`: wrk where it is installed, except for HEAD, whose missing body it waits for. */
export function loadTool(method: Load['method']): 'wrk' | 'clients/raw-load.ts' {
  return method === 'GET' && findInPath('wrk') ? 'wrk' : 'clients/raw-load.ts';
}

/** Rejects where an answer was not 2xx: errors are quick, and would pass for speed. */
export async function load(order: Load): Promise<LoadResult> {
  if (loadTool(order.method) === 'wrk') return await wrk(order);
  const answer = await runClient<LoadAnswer>('raw-load.ts', order);
  if (answer.failures > 0) throw new Error(`${answer.failures} requests to ${order.url} failed`);
  return { perSecond: answer.requests / answer.seconds, requests: answer.requests };
}

async function wrk({ url, headers, connections, seconds }: Load): Promise<LoadResult> {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, ...fields, url];
  return readWrk(await runProgram('wrk', args));
}

/** wrk's report; throws where it tells of answers that were not 2xx or 3xx, or of broken connections. */
export function readWrk(report: string): LoadResult {
  const bad = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(report)?.[0];
  if (bad) throw new Error(`wrk: ${bad}`);
  const requests = /^\s*(\d+) requests in /m.exec(report)?.[1];
  const perSecond = /^Requests\/sec:\s+([\d.]+)/m.exec(report)?.[1];
  if (!requests || !perSecond) throw new Error(`wrk gave no report: ${report.slice(0, 200)}`);
  return { perSecond: Number(perSecond), requests: Number(requests) };
}
