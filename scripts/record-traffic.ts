/**
 * Records the traffic of a project's functions from its request log, as what the simulation of the autoscaler reads:
 * lines of `at,function,ms`, in milliseconds from the first request on. Functions are numbers; nothing of paths,
 * hosts or callers is written.
 *
 *   GANTRY_TOKEN=… node scripts/record-traffic.ts http://127.0.0.1:5050 team/project > traffic.csv
 */

interface Logged {
  readonly at: string;
  readonly service: string;
  readonly queueMs: number;
  readonly totalMs: number;
}

/** All that the log holds of the project, oldest first. Rejects where the API refuses. */
export async function recordTraffic(from: {
  readonly origin: string;
  /** `team/project` */
  readonly project: string;
  readonly token: string;
}): Promise<string> {
  const [team, project] = from.project.split('/').map(encodeURIComponent);
  const base = `${from.origin}/api/v1/teams/${team}/projects/${project}/functions/requests`;
  const requests: Logged[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const url = `${base}?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${from.token}` } });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    const page = (await answer.json()) as { items: Logged[]; next: string | null };
    requests.push(...page.items);
    cursor = page.next;
  }
  return toRecording(requests);
}

/** A request's time in its instance is what it takes there again: what it waited is the simulation's to find. */
export function toRecording(requests: readonly Logged[]): string {
  const inOrder = requests
    .map(({ at, ...rest }) => ({ ...rest, at: Date.parse(at) }))
    .sort((a, b) => a.at - b.at);
  const began = inOrder[0]?.at ?? 0;
  const numbers = new Map<string, number>();
  const lines = inOrder.map(({ at, service, queueMs, totalMs }) => {
    const number = numbers.get(service) ?? numbers.size;
    numbers.set(service, number);
    return `${at - began},${number},${Math.max(1, Math.round(totalMs - queueMs))}`;
  });
  return `at,function,ms\n${lines.join('\n')}\n`;
}

if (import.meta.main) {
  const [origin, project] = process.argv.slice(2);
  const token = process.env.GANTRY_TOKEN;
  if (!origin || !project || !token) {
    process.stderr.write('GANTRY_TOKEN=… node scripts/record-traffic.ts <url> <team>/<project>\n');
    process.exit(2);
  }
  process.stdout.write(await recordTraffic({ origin, project, token }));
}
