/**
 * What every runtime driver does: one case for each sentence of src/ports/runtime-driver.ts. A test file calls
 * `runCase` for each with its subject, where that can be reached from.
 */
import { Bench, type Case, type Cases, type Subject } from './bench.ts';
import { commands } from './commands.ts';
import { faults } from './faults.ts';
import { images } from './images.ts';
import { isolation } from './isolation.ts';
import { lives } from './lives.ts';
import { observing } from './observing.ts';
import { probes } from './probes.ts';

export const driverCases: Readonly<Record<string, Cases>> = {
  images,
  lives,
  probes,
  isolation,
  observing,
  commands,
  faults,
};

export async function runCase(subject: Subject, group: string, sentence: string): Promise<void> {
  const run: Case | undefined = driverCases[group]?.[sentence];
  if (!run) throw new Error(`there is no case ${group}: ${sentence}`);
  const before = await subject.leftovers();
  const bench = await Bench.open(subject);
  let failed = true;
  try {
    await run(bench);
    failed = false;
  } finally {
    await bench.close().catch((error) => {
      if (!failed) throw error;
    });
  }
  const after = (await subject.leftovers()).filter((name) => !before.includes(name));
  if (after.length > 0) throw new Error(`the case left ${after.join(', ')}`);
}
