import { type ContractName, contractNames, type ServiceSettings } from '../../ports/functions.ts';
import { cloudRun } from './cloud-run.ts';
import type { Contract } from './contract.ts';
import { functionCompute } from './function-compute.ts';
import { vercel } from './vercel.ts';

/** The label of an image that is made for a contract: `LABEL gantry.contract=cloud-run`. */
export const contractLabel = 'gantry.contract';

const contracts: Readonly<Record<ContractName, Contract>> = {
  vercel,
  'function-compute': functionCompute,
  'cloud-run': cloudRun,
};

/** By the service's setting, else the image's label (one that names no contract says nothing), else vercel. */
export function contractOf(
  settings: ServiceSettings,
  labels: Readonly<Record<string, string>> = {},
): Contract {
  const label = labels[contractLabel];
  const labelled = contractNames.find((name) => name === label);
  return contracts[settings.contract ?? labelled ?? 'vercel'];
}

/** By the service's port, else PORT of its variables (one that is no port says nothing), else the contract's. */
export function portOf(
  settings: ServiceSettings,
  env: Readonly<Record<string, string>>,
  contract: Contract,
): number {
  if (settings.port !== undefined) return settings.port;
  const given = /^\d{1,5}$/.test(env.PORT ?? '') ? Number(env.PORT) : 0;
  return given > 0 && given < 65_536 ? given : contract.defaultPort;
}

export function concurrencyOf(settings: ServiceSettings, contract: Contract): number {
  return settings.concurrency ?? contract.defaultConcurrency;
}
