import { refuse } from '../../oci/errors.ts';
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

/** By the service's port, else PORT of its variables, else the contract's. Throws `invalid` where PORT is no port. */
export function portOf(
  settings: ServiceSettings,
  env: Readonly<Record<string, string>>,
  contract: Contract,
): number {
  if (settings.port !== undefined) return settings.port;
  const { PORT } = env;
  if (PORT === undefined || PORT === '') return contract.defaultPort;
  const given = /^\d{1,5}$/.test(PORT) ? Number(PORT) : 0;
  if (given > 0 && given < 65_536) return given;
  throw refuse(
    'invalid',
    'The variable PORT is no port: it must be a whole number from 1 to 65535.',
    "Change it, or set the service's port, which counts first.",
  );
}

export function concurrencyOf(settings: ServiceSettings, contract: Contract): number {
  return settings.concurrency ?? contract.defaultConcurrency;
}
