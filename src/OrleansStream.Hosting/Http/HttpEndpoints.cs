using System.Text;
using Microsoft.AspNetCore.Http;
using OrleansStream.Hosting;
using OrleansStream.Hosting.Metrics;

namespace OrleansStream.Hosting.Http;

/// <summary>/healthz: the process lives. /readyz: clients are served. /metrics: Prometheus' text.</summary>
internal sealed class HttpEndpoints(Readiness readiness, MetricsCollector metrics)
{
    public Task ServeAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/healthz" => WriteAsync(context, 200, "text/plain", "healthy\n"),
        "/readyz" => readiness.IsReady ? WriteAsync(context, 200, "text/plain", "ready\n") : WriteAsync(context, 503, "text/plain", readiness.State + "\n"),
        "/metrics" => WriteAsync(context, 200, PrometheusText.ContentType, PrometheusText.Make(metrics.Read())),
        _ => WriteAsync(context, 404, "text/plain", "there are /healthz, /readyz and /metrics\n"),
    };

    private static async Task WriteAsync(HttpContext context, int status, string type, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes);
    }
}
