/** Debian's nginx with the configuration of deploy/nginx.conf, its addresses replaced. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const fields = ['$upstream_addr', '$request_method', '$request_uri', '$status'];
const program = '/usr/sbin/nginx';
export const nginxConfig = join(import.meta.dirname, '..', '..', 'deploy', 'nginx.conf');

export function nginxObstacle(): string | undefined {
  return existsSync(program) ? undefined : 'nginx is not installed (Debian: nginx-light)';
}

export interface Nginx {
  readonly origin: string;
  /** Every request so far, and which upstream answered it. */
  traffic(): Traffic[];
  stop(): Promise<void>;
}

export interface Traffic {
  /** `host:port`; several by comma where the first did not answer. */
  readonly upstream: string;
  readonly method: string;
  readonly target: string;
  readonly status: number;
}

/** The file as it is deployed, with `port` to listen on and the replicas at `upstreams` (host:port). */
export function configFor(text: string, port: number, upstreams: readonly string[]): string {
  const servers = /^ *server gantry-\d+:5050( .*;)$/gm;
  const found = [...text.matchAll(servers)];
  if (found.length !== upstreams.length) {
    throw new Error(`deploy/nginx.conf has ${found.length} replicas, not ${upstreams.length}`);
  }
  let at = 0;
  const changed = text
    .replace(servers, (_line, options: string) => `    server ${upstreams[at++]}${options}`)
    .replace(/^ *listen 5050;$/m, `    listen 127.0.0.1:${port};`);
  if (!changed.includes(`listen 127.0.0.1:${port};`)) throw new Error('it listens on no port');
  return changed;
}

/** Resolves when it listens. */
export async function startNginx(port: number, upstreams: readonly string[]): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-nginx-'));
  const config = join(folder, 'nginx.conf');
  const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(folder, kind)};`)
    .join('\n');
  const log = join(folder, 'traffic');
  const text = configFor(readFileSync(nginxConfig, 'utf8'), port, upstreams)
    .replace(/^http \{$/m, `http {\n${own}\n  log_format traffic '${fields.join('\t')}';`)
    .replace(/^ *access_log off;$/m, `  access_log ${log} traffic;`)
    .replace('worker_processes auto', 'worker_processes 1');
  writeFileSync(config, text);
  const globals = `daemon off; pid ${join(folder, 'pid')}; error_log ${join(folder, 'log')};`;
  const child: ChildProcess = spawn(program, ['-p', folder, '-c', config, '-g', globals], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr!.on('data', (bytes: Buffer) => {
    words = (words + bytes).slice(-2_000);
  });
  const closed = once(child, 'close');
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  const stop = async () => {
    process.off('exit', end);
    end();
    await closed;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + 10_000; !(await answers(port)); await delay(20)) {
    if (child.exitCode === null && Date.now() < deadline) continue;
    await stop();
    throw new Error(`nginx did not start: ${words.trim()}`);
  }
  return { origin: `http://127.0.0.1:${port}`, traffic: () => readTraffic(log), stop };
}

function readTraffic(log: string): Traffic[] {
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [upstream = '', method = '', target = '', status] = line.split('\t');
      return { upstream, method, target, status: Number(status) };
    });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
