/** Words about image names; no engine is asked here. */

const ID = /^sha256:[0-9a-f]{64}$/;
const SHORT = 12;

/** Whether this names an image by its id, as a rollback to an image does whose tag has moved on. */
export function isImageId(name: string): boolean {
  return ID.test(name);
}

/** `3471c8cc5c12` of `sha256:3471c8cc5c12…`, as the engine's own tools print it; another name as it is. */
export function shortImage(name: string): string {
  return isImageId(name) ? name.slice('sha256:'.length, 'sha256:'.length + SHORT) : name;
}

/** `app` of `app:v1`; a colon before the last slash belongs to a registry's port. */
export function repository(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '') || 'app';
}
