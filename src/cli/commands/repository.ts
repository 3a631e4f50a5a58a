import type { Command } from 'commander';
import type { Visibility } from '../../projects/admin-methods.ts';
import { group, leaf, type Run, wholeNumber } from '../command.ts';
import { given } from '../given.ts';
import { table } from '../table.ts';

interface ListOptions {
  team: string;
  project?: string;
  after?: string;
  limit?: number;
  json?: boolean;
}

export function addRepositoryCommands(admin: Command, run: Run): void {
  const repository = group(admin, 'repository', 'repositories, which the first push makes');

  leaf(
    repository,
    'list',
    "a team's repositories, a page at a time",
    'repository list --team acme',
    'repository list --team acme --project web --limit 1000',
  )
    .requiredOption('--team <team>', 'slug or id of the team')
    .option('--project <project>', 'only this project')
    .option('--after <repository>', 'go on after this one')
    .option('--limit <n>', 'at most this many, up to 1000 (default: 100)', wholeNumber)
    .action(async ({ team, project, after, limit, json }: ListOptions) => {
      const params = given({ team, project, after, limit });
      await run(given({ json }), 'repository.list', params, ({ repositories, next }) => {
        const rows = repositories.map(({ name, visibility }) => [name, visibility]);
        const more = next === undefined ? '' : `\nMore: add --after ${next}\n`;
        return `${table(['REPOSITORY', 'VISIBILITY'], rows, 'No repository.')}${more}`;
      });
    });

  leaf(
    repository,
    'visibility <team/project/repository> [visibility]',
    'show who may pull, or change it: private (with access) or public (everyone)',
    'repository visibility acme/web/site',
    'repository visibility acme/web/site public',
  ).action(
    async (name: string, visibility: Visibility | undefined, options: { json?: boolean }) => {
      await run(
        options,
        'repository.visibility',
        given({ repository: name, visibility }),
        (now) => `${now.name} is ${now.visibility}.\n`,
      );
    },
  );
}
