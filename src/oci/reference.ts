/** Where an image lives: `team-slug/project-slug/repository`. */
export interface RepositoryPath {
  readonly team: string;
  readonly project: string;
  readonly repository: string;
}

/** One path component of a name in the OCI distribution-spec, "Pulling manifests". */
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tag = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Longest `<name>`: clients limit host, `/` and name together to 255 characters. */
export const maxNameLength = 255;

export function isNameComponent(text: string): boolean {
  return text.length <= maxNameLength && component.test(text);
}

export function isTag(text: string): boolean {
  return tag.test(text);
}

/** The three parts of `name`, or undefined where it has another number of parts or a part is malformed. */
export function parseRepositoryPath(name: string): RepositoryPath | undefined {
  if (name.length > maxNameLength) return undefined;
  const parts = name.split('/', 4);
  if (parts.length !== 3) return undefined;
  const [team, project, repository] = parts as [string, string, string];
  if (!component.test(team) || !component.test(project) || !component.test(repository))
    return undefined;
  return { team, project, repository };
}

export function formatRepositoryPath(path: RepositoryPath): string {
  return `${path.team}/${path.project}/${path.repository}`;
}
