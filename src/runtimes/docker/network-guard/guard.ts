import { createHash } from 'node:crypto';
import type { Networks } from '../networks.ts';
import { flyCanary } from './canary.ts';
import {
  NoSuchProgram,
  type PacketFilter,
  packetFilter,
  type RunProgram,
  runProgram,
} from './nft.ts';
import { readReport } from './report.ts';
import { type GuardRules, rulesOf, tableOf } from './rules.ts';

/**
 * Keeps the rules of rules.ts in the host's packet filter, and proves them. A process that is root does so
 * itself, by `nft`: a process beside it would have to be watched, told of changes and ended, and would hold
 * no less power. Where Gantry is not root, main.ts does the same for it, started by the operator.
 */
export interface NetworkGuard {
  /** What the last look found; the first call waits for the first proof. */
  status(): Promise<GuardStatus>;
  /** Rules stay as long as networks of projects are there: instances may outlive this process. */
  close(): Promise<void>;
}

export interface GuardStatus {
  /** Rules are in place, and a canary has shown that they hold. */
  readonly proven: boolean;
  /** What is missing and how to get it: one sentence each. */
  readonly missing: readonly string[];
}

export interface GuardOptions extends GuardRules {
  readonly networks: Networks;
  /** Whether this process may change the packet filter; else the helper's report is read. */
  readonly root: boolean;
  /** The command line that an operator runs where it may not. */
  readonly helperLine: string;
  /** Milliseconds between two looks whether the rules are still there. */
  readonly checkMs?: number;
  readonly tell?: (message: string) => void;
  readonly run?: RunProgram;
  /** Told of each look. */
  readonly seen?: (status: GuardStatus) => void;
}

const defaultCheckMs = 15_000;

/** Of the rules: a helper that was started with other settings guards something else. */
export function rulesDigest(rules: GuardRules): string {
  return createHash('sha256').update(rulesOf(rules)).digest('hex');
}

export function startNetworkGuard(options: GuardOptions): NetworkGuard {
  const { run = runProgram, checkMs = defaultCheckMs, tell = () => {} } = options;
  const filter = packetFilter(options, run);
  const look = options.root ? () => lookAsRoot(filter) : lookAtHelper;
  let status: GuardStatus = { proven: false, missing: [] };
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let looked = false;

  async function lookAsRoot(filter: PacketFilter): Promise<GuardStatus> {
    if (status.proven && (await filter.intact())) return status;
    if (status.proven)
      tell("Rules of functions' networks were changed by others: they are renewed.");
    // Until they are shown to hold again, they do not.
    status = { proven: false, missing: status.missing };
    await filter.apply();
    const { installation, networks } = options;
    const problem = await flyCanary({ installation, networks, run });
    return problem === undefined
      ? { proven: true, missing: [] }
      : { proven: false, missing: [`Networks of functions are not guarded. ${problem}`] };
  }

  async function lookAtHelper(): Promise<GuardStatus> {
    const report = await readReport(tableOf(options.installation), Date.now());
    if (report === undefined) return helperMissing('Networks of functions are not guarded');
    if (report.rules !== rulesDigest(options))
      return helperMissing('Networks of functions are guarded by rules of other settings');
    return { proven: report.proven, missing: report.missing };
  }

  function helperMissing(what: string): GuardStatus {
    const { helperLine } = options;
    return {
      proven: false,
      missing: [`${what}: as Gantry is not root, keep this running on the host: ${helperLine}`],
    };
  }

  async function check(): Promise<void> {
    const before = looked ? status : undefined;
    status = await look().catch(explained);
    looked = true;
    options.seen?.(status);
    // At the first look, too: the line that an operator is to run is looked for in the log.
    if (before?.proven !== false && !status.proven) for (const one of status.missing) tell(one);
    if (!closed) timer = setTimeout(again, checkMs).unref();
  }

  function again(): void {
    checking = check();
  }

  let checking = check();
  const first = checking;
  return {
    async status() {
      await first;
      return status;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await checking;
      if (!options.root) return;
      // One that cannot be counted now is taken for there.
      const left = await options.networks.removeUnused().then(options.networks.count, () => 1);
      if (left === 0) await filter.remove().catch(() => {});
    },
  };
}

function explained(error: unknown): GuardStatus {
  if (error instanceof NoSuchProgram) {
    const name = { nft: 'nftables', ip: 'iproute2', nsenter: 'util-linux' }[error.program];
    const how = name ? `apt-get install ${name}` : `install ${error.program}`;
    return {
      proven: false,
      missing: [
        `Networks of functions are not guarded: ${error.program} is missing. On Debian: ${how}.`,
      ],
    };
  }
  const reason = error instanceof Error ? error.message : String(error);
  return { proven: false, missing: [`Networks of functions are not guarded: ${reason}`] };
}
