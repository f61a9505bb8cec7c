import { Component, type ReactNode } from 'react';

/** An error while something is drawn ends the application as an error, not as a picture of its stack. React knows such a place as a class only. */
export class ErrorBoundary extends Component<{ onError: (error: Error) => void; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override componentDidCatch(error: Error) {
    this.props.onError(error);
  }
  override render() {
    return this.state.failed ? null : this.props.children;
  }
}
