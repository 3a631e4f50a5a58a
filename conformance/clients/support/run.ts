/** Runs client programs: output kept, time bounded, nothing of the user's own environment but what is named. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
  /** Of standard output; latin1 keeps bytes that are no text. */
  readonly encoding?: 'utf8' | 'latin1';
}

export interface RunResult {
  /** Undefined where a signal ended it, such as the time-out's. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(
  program: string,
  args: readonly string[],
  { env, cwd, input = '', timeoutMs = 120_000, encoding = 'utf8' }: RunOptions,
): Promise<RunResult> {
  const child = spawn(program, args, { env, ...(cwd ? { cwd } : {}) });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
  // A program that ends without reading its input is judged by how it ends.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => clearTimeout(timer));
  return {
    code: code ?? undefined,
    stdout: Buffer.concat(out).toString(encoding),
    stderr: Buffer.concat(err).toString(),
  };
}

/** Standard output of a program that has to succeed; throws with all that it said where it does not. */
export async function must(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout;
  const how = code === undefined ? 'was killed' : `exited ${code}`;
  throw new Error(`${program} ${args.join(' ')} ${how}\n${stdout}${stderr}`);
}
