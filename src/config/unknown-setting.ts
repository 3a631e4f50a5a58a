import { closest } from './closest.ts';
import { type SettingName, settingNames } from './schema.ts';

/** What to say of a name that is no setting: the closest one, and all that there are. */
export function unknownSetting(
  name: string,
  where: string,
  spell: (setting: SettingName) => string,
): string {
  const allowed = settingNames.map(spell);
  const near = closest(name, allowed);
  const guess = near ? ` Did you mean ${near}?` : '';
  return `${name}${where}: there is no such setting.${guess} Allowed: ${allowed.join(', ')}.`;
}
