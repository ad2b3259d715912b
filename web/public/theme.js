// Before the first paint, so that no one sees the other theme for a moment. A file, since inline scripts are refused.
try {
  const theme = localStorage.getItem('puna.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // a browser that keeps nothing has the system's theme
}
