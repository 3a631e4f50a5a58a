import { Command } from 'commander';
import type { Run } from './command.ts';
import { addBackupCommands, type Upkeep } from './commands/backup.ts';
import { addCollectionCommands } from './commands/collection.ts';
import { addKeyCommands } from './commands/key.ts';
import { addAccountCommands, addMemberCommands } from './commands/people.ts';
import { addPolicyCommands } from './commands/policy.ts';
import { addProjectCommands } from './commands/project.ts';
import { addRepositoryCommands } from './commands/repository.ts';
import { addScrubCommands } from './commands/scrub.ts';
import { addStatusCommand } from './commands/status.ts';
import { addTeamCommands } from './commands/team.ts';
import { addTokenCommands } from './commands/token.ts';
import { addVolumeCommands } from './commands/volume.ts';

export interface ProgramOptions {
  readonly version: string;
  readonly run: Run;
  readonly upkeep: Upkeep;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** All commands. Throws `CommanderError` rather than end the process: code 0 for help, else wrong usage. */
export function createProgram({ version, run, upkeep, out, err }: ProgramOptions): Command {
  const program = new Command('gantry')
    .description('An OCI registry, scoped to teams and projects.')
    .version(version, '--version', 'print the version')
    .configureOutput({ writeOut: out, writeErr: err })
    .exitOverride()
    .showHelpAfterError('(the same with --help shows what there is)');
  const admin = program
    .command('admin')
    .description('manage the installation whose data folder is ./data, or GANTRY_DATA')
    .addHelpText(
      'after',
      `
It asks the server that runs on the data folder, or works on the folder itself where none runs.
Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

Examples:
  $ npx gantry admin team create acme
  $ npx gantry admin project create acme/web
  $ npx gantry admin token create --team acme --scope write`,
    );
  addStatusCommand(admin, run);
  addTeamCommands(admin, run);
  addProjectCommands(admin, run);
  addAccountCommands(admin, run);
  addMemberCommands(admin, run);
  addTokenCommands(admin, run);
  addPolicyCommands(admin, run);
  addRepositoryCommands(admin, run);
  addKeyCommands(admin, run);
  addCollectionCommands(admin, run);
  addScrubCommands(admin, run);
  addVolumeCommands(admin, run);
  addBackupCommands(admin, upkeep, out);
  return program;
}
