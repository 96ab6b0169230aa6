import {
  CORE_SCHEMA,
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  load,
  mapTag,
  mergeTag,
  seqTag,
  strTag,
  YAMLException,
} from 'js-yaml';

/** Compose's own tags (`!reset`, `!override`) say how files are merged; here they are read over. */
const anyTag = { matchByTagPrefix: true };
const schema = CORE_SCHEMA.withTags(
  mergeTag, // "<<: *anchor"
  defineScalarTag('!', { ...strTag, ...anyTag }),
  defineSequenceTag('!', { ...seqTag, ...anyTag }),
  defineMappingTag('!', { ...mapTag, ...anyTag }),
);

/** Reads a YAML file as Compose does; what cannot be understood is thrown, with line and column in its message. Null: it is empty. */
export function parseYaml(text: string): unknown {
  if (!/^\s*[^\s#]/m.test(text)) return null;
  try {
    return load(text, { schema });
  } catch (error) {
    if (!(error instanceof YAMLException) || !error.mark) throw error;
    const { line, column } = error.mark; // from 0
    throw new Error(`${error.reason} at line ${line + 1}, column ${column + 1}`, { cause: error });
  }
}
