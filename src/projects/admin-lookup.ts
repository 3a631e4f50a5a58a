import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import { parseRepositoryPath } from '../oci/reference.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { Project } from '../ports/projects.ts';
import type { Repository } from '../ports/repositories.ts';
import type { Account, Team } from '../ports/teams.ts';
import { isId } from './ids.ts';

/**
 * What people name, found: by slug, name, path or id. Each method throws `RegistryError` kind `not-found`
 * with the command that lists what there is.
 */
export class AdminLookup {
  readonly #metadata: Pick<Metadata, 'teams' | 'projects' | 'repositories'>;

  constructor(metadata: Pick<Metadata, 'teams' | 'projects' | 'repositories'>) {
    this.#metadata = metadata;
  }

  async team(slugOrId: string): Promise<Team> {
    const { teams } = this.#metadata;
    const byId = isId(slugOrId, 'team') ? await teams.findById(slugOrId) : undefined;
    const team = byId ?? (await teams.findBySlug(slugOrId));
    if (team) return team;
    throw refuse('not-found', `There is no team ${quote(slugOrId)}.`, 'npx gantry admin team list');
  }

  async account(nameOrId: string): Promise<Account> {
    const account = await this.#metadata.teams.findAccount(nameOrId);
    if (account) return account;
    throw refuse(
      'not-found',
      `There is no account ${quote(nameOrId)}.`,
      'npx gantry admin account list',
    );
  }

  /** `team/project`, an id, or a project's slug where `team` is known; of that team alone where it is. */
  async project(text: string, team?: Team): Promise<Project> {
    const [byId] = await this.#metadata.projects.findByIds([text]);
    const found = byId ?? (await this.#byPath(text, team));
    if (found && (!team || found.teamId === team.id)) return found;
    const whose = team ? `The team ${quote(team.slug)} has` : 'There is';
    throw refuse(
      'not-found',
      `${whose} no project ${quote(text)}.`,
      `npx gantry admin project list --team ${team?.slug ?? text.split('/')[0]}`,
    );
  }

  /** Undefined for all: nothing given, or `*`. */
  async projectIds(
    texts: readonly string[] | undefined,
    team: Team | undefined,
  ): Promise<string[] | undefined> {
    if (texts === undefined || texts.includes('*')) return undefined;
    const ids = new Set<string>();
    for (const text of texts) ids.add((await this.project(text, team)).id);
    return [...ids];
  }

  /** `team/project` of each id; an id that no project has stays as it is. Undefined for undefined. */
  async projectPaths(ids: readonly string[] | undefined): Promise<string[] | undefined> {
    if (ids === undefined) return undefined;
    const projects = await this.#metadata.projects.findByIds(ids);
    const paths = new Map(projects.map((project) => [project.id, pathOf(project)]));
    return ids.map((id) => paths.get(id) ?? id);
  }

  async repository(name: string): Promise<{ name: string; repository: Repository }> {
    const path = parseRepositoryPath(name);
    const repository = path && (await this.#metadata.repositories.find(path));
    if (repository) return { name, repository };
    throw refuse(
      'not-found',
      `There is no repository ${quote(name)}; repositories are named team/project/repository.`,
      `npx gantry admin repository list --team ${path?.team ?? '<team>'}`,
    );
  }

  async #byPath(text: string, team: Team | undefined): Promise<Project | undefined> {
    const [first = '', second, ...rest] = text.split('/');
    if (rest.length > 0) return undefined;
    if (second !== undefined) return await this.#metadata.projects.findBySlugs(first, second);
    return team && (await this.#metadata.projects.findBySlugs(team.slug, first));
  }
}

export function pathOf(project: Pick<Project, 'teamSlug' | 'slug'>): string {
  return `${project.teamSlug}/${project.slug}`;
}
