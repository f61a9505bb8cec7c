import packageJson from '../../package.json' with { type: 'json' };

const { version } = packageJson;
const words = process.argv.slice(2);
// The commonest question of scripts is answered before anything else is loaded.
if (words.length === 1 && words[0] === '--version') process.stdout.write(`${version}\n`);
else await (await import('./commands.ts')).main(words, version);
