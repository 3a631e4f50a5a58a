/**
 * The guard of functions' networks as a process of its own, for a Gantry that is not root: an operator keeps
 * it running as root, by the line that Gantry prints (helper-line.ts). It takes nothing from files that
 * others can write: all that it is told is in its arguments.
 */
import { parseArgs } from 'node:util';
import { apiVersion, type EngineVersion } from '../capabilities.ts';
import { Engine } from '../engine.ts';
import { findEngine } from '../engine-address.ts';
import { openNetworks } from '../networks.ts';
import { rulesDigest, startNetworkGuard } from './guard.ts';
import { writeReport } from './report.ts';
import { type GuardRules, tableOf } from './rules.ts';

const list = { type: 'string', multiple: true, default: [] as string[] } as const;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      installation: { type: 'string' },
      pool: { type: 'string' },
      'subnet-bits': { type: 'string' },
      reach: list,
      dns: list,
      private: list,
      'docker-host': { type: 'string' },
    },
  });
  const { installation, pool } = values;
  const subnetBits = Number(values['subnet-bits']);
  if (!installation || !pool || !Number.isInteger(subnetBits))
    throw new Error('Run it with the line that Gantry prints.');
  if (process.getuid?.() !== 0) throw new Error('Run it as root: it changes the packet filter.');
  const address = findEngine(values['docker-host'], process.env);
  if (typeof address === 'string') throw new Error(address);
  const finder = new Engine({ address, deadline: 10_000 });
  const version = await finder.call<EngineVersion>({ method: 'GET', path: '/version' });
  finder.close();
  const engine = new Engine({ address, deadline: 30_000, version: apiVersion(version) });
  const rules: GuardRules = {
    installation,
    pool,
    reach: values.reach,
    dns: values.dns,
    privateRanges: values.private,
  };
  const digest = rulesDigest(rules);
  let said = '';
  const guard = startNetworkGuard({
    ...rules,
    networks: openNetworks(engine, { installation, pool, subnetBits }),
    root: true,
    helperLine: '',
    seen(status) {
      void writeReport(tableOf(installation), { ...status, rules: digest }).catch((error) =>
        console.error(`The report could not be written: ${error.message}`),
      );
      const words = status.proven ? 'The rules hold.' : status.missing.join(' ');
      if (words !== said) console.error(words);
      said = words;
    },
  });
  // The guard's own timer lets a process end.
  const awake = setInterval(() => {}, 2 ** 30);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
  clearInterval(awake);
  await guard.close();
  engine.close();
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
