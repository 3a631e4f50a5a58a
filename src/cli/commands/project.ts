import type { Command } from 'commander';
import type {
  LayerCompression,
  ProjectSettingsChange,
  ProjectView,
} from '../../projects/admin-methods.ts';
import { collect, group, leaf, type Run } from '../command.ts';
import { given } from '../given.ts';
import { fields, listOr, table } from '../table.ts';

interface SettingsOptions {
  layerCompression?: string[];
  platform?: string[];
  json?: boolean;
}

const compressionHelp = 'layer compressions that images may have: none, gzip, zstd, or all';
const platformHelp = 'platforms that images may have, such as linux/amd64, or all';

export function addProjectCommands(admin: Command, run: Run): void {
  const project = group(admin, 'project', 'projects of a team, which hold repositories');

  leaf(
    project,
    'create <team/project>',
    "make a project; its slug is the second part of its images' names",
    'project create acme/web',
    'project create acme/web --layer-compression zstd --platform linux/amd64,linux/arm64',
  )
    .option('--layer-compression <list>', compressionHelp, collect)
    .option('--platform <list>', platformHelp, collect)
    .action(async (path: string, options: SettingsOptions) => {
      await run(options, 'project.create', { project: path, ...changeOf(options) }, show);
    });

  leaf(project, 'list', "a team's projects", 'project list --team acme')
    .requiredOption('--team <team>', 'slug or id of the team')
    .action(async (options: { team: string; json?: boolean }) => {
      await run(options, 'project.list', { team: options.team }, ({ projects }) =>
        table(
          ['PROJECT', 'LAYERS', 'PLATFORMS', 'ID'],
          projects.map(({ path, settings, id }) => [
            path,
            listOr(settings.layerCompressions, 'all'),
            listOr(settings.platforms, 'all'),
            id,
          ]),
          `The team has no project yet: npx gantry admin project create ${options.team}/<project>`,
        ),
      );
    });

  leaf(
    project,
    'settings <team/project>',
    'show what images a project takes, or change it',
    'project settings acme/web',
    'project settings acme/web --layer-compression zstd',
    'project settings acme/web --layer-compression all --platform linux/amd64',
  )
    .option('--layer-compression <list>', compressionHelp, collect)
    .option('--platform <list>', platformHelp, collect)
    .action(async (path: string, options: SettingsOptions) => {
      await run(options, 'project.settings', { project: path, ...changeOf(options) }, show);
    });
}

function changeOf({ layerCompression, platform }: SettingsOptions): ProjectSettingsChange {
  return given({
    layerCompressions: allOr(layerCompression) as LayerCompression[] | null | undefined,
    platforms: allOr(platform),
  });
}

function allOr(values: string[] | undefined): string[] | null | undefined {
  return values?.includes('all') ? null : values;
}

function show({ id, path, plan, settings }: ProjectView): string {
  return fields({
    project: path,
    id,
    plan,
    layers: listOr(settings.layerCompressions, 'all compressions'),
    platforms: listOr(settings.platforms, 'all'),
  });
}
