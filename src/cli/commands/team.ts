import { type Command, Option } from 'commander';
import type { PlanName, Team } from '../../projects/admin-methods.ts';
import { group, leaf, type Run } from '../command.ts';
import { given } from '../given.ts';
import { fields, table, time } from '../table.ts';

const plans = ['self-hosted', 'hobby', 'pro', 'enterprise'];

export function addTeamCommands(admin: Command, run: Run): void {
  const team = group(admin, 'team', 'teams, which own projects');

  leaf(
    team,
    'create <slug>',
    'make a team; its slug is the first part of its images',
    'team create acme',
    'team create acme --name "Acme Inc." --plan pro',
  )
    .option('--name <name>', 'what people call it; the slug unless given')
    .addOption(new Option('--plan <plan>', 'its limits; GANTRY_PLAN unless given').choices(plans))
    .action(async (slug: string, options: { name?: string; plan?: PlanName; json?: boolean }) => {
      const params = given({ slug, name: options.name, plan: options.plan });
      await run(options, 'team.create', params, showTeam);
    });

  leaf(team, 'list', 'all teams, with the ids that are their usernames', 'team list').action(
    async (options: { json?: boolean }) => {
      await run(options, 'team.list', {}, ({ teams }) =>
        table(
          ['SLUG', 'NAME', 'PLAN', 'ID (USERNAME)'],
          teams.map(({ slug, name, plan, id }) => [slug, name, plan, id]),
          'There is no team yet: npx gantry admin team create <slug>',
        ),
      );
    },
  );

  leaf(
    team,
    'set-plan <team> <plan>',
    `change a team's limits: ${plans.join(', ')}`,
    'team set-plan acme enterprise',
  ).action(async (slug: string, plan: PlanName, options: { json?: boolean }) => {
    await run(options, 'team.set-plan', { team: slug, plan }, showTeam);
  });
}

function showTeam({ id, slug, name, plan, createdAt }: Team): string {
  return fields({ team: slug, name, plan, id, created: time(createdAt) });
}
